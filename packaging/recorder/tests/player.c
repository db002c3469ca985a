/* A game for the tests: records what its arguments say.
 *
 *   player all SPOOL FILE        uses every function once, and provokes every error that it can
 *   player rush SPOOL N THREADS  records N events in each thread, and writes each one's number to standard output after
 *                                gv_event returned; then waits to be killed
 *   player brief SPOOL           begins and ends
 *   player flood SPOOL N         records N events as fast as it can, with texts and a save, and ends; "written dropped"
 */
#include "gamevault_rec.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(fact)                                                                        \
  do {                                                                                     \
    if (!(fact)) {                                                                         \
      fprintf(stderr, "line %d: %s; %s\n", __LINE__, #fact, gv_last_error());              \
      exit(1);                                                                             \
    }                                                                                      \
  } while (0)

static gv_session *session;
static long count;

static int all(const char *spool, const char *file) {
  gv_counts counts;
  static char large[70000];
  static const char save[] = "save\0content";
  session = gv_session_begin(spool, "42", "{\"player\":\"t7\",\"engine\":\"own\",\"settings\":{\"vsync\":true}}");
  CHECK(session != NULL);
  CHECK(gv_event(session, "level_start", "{\"level\":\"L3\",\"hp\":10}") == GV_OK);
  CHECK(gv_event(session, "bare", NULL) == GV_OK);
  CHECK(gv_event(session, "\xff\n", "{\"a\":\xfe") == GV_OK);
  memset(large, 'x', sizeof large - 1);
  CHECK(gv_event(session, large, large) == GV_OK);
  CHECK(gv_mark(session, "bug", "fell through the floor") == GV_OK);
  CHECK(gv_mark(session, "here", NULL) == GV_OK);
  CHECK(gv_log(session, "loading L3") == GV_OK);
  CHECK(gv_save(session, "slot/1", save, sizeof save) == GV_OK);
  CHECK(gv_save(session, NULL, NULL, 0) == GV_OK);
  CHECK(gv_attach(session, file) == GV_OK);

  CHECK(gv_event(NULL, "a", NULL) == GV_ERR_NULL);
  CHECK(gv_event(session, NULL, NULL) == GV_ERR_NULL);
  CHECK(gv_mark(session, NULL, NULL) == GV_ERR_NULL);
  CHECK(gv_log(session, NULL) == GV_ERR_NULL);
  CHECK(gv_save(session, "a", NULL, 1) == GV_ERR_NULL);
  CHECK(gv_attach(session, NULL) == GV_ERR_NULL);
  CHECK(gv_counters(session, NULL) == GV_ERR_NULL);
  CHECK(gv_session_end(NULL, GV_CLEAN) == GV_ERR_NULL);
  CHECK(gv_save(session, "a", large, (size_t)-1) == GV_ERR_INVALID);
  CHECK(gv_save(session, "a", large, (size_t)1 << 30) == GV_ERR_FULL);
  CHECK(gv_attach(session, "/no/such/file") == GV_ERR_NOT_FOUND);
  CHECK(strstr(gv_last_error(), "/no/such/file") != NULL);
  CHECK(gv_session_end(session, 3) == GV_ERR_INVALID);
  CHECK(gv_session_begin(file, NULL, NULL) == NULL);
  CHECK(strstr(gv_last_error(), file) != NULL);

  CHECK(gv_session_end(session, GV_CLEAN) == GV_OK);
  CHECK(gv_session_end(session, GV_CLEAN) == GV_ERR_ENDED);
  CHECK(gv_event(session, "late", NULL) == GV_ERR_ENDED);
  CHECK(gv_save(session, "late", "a", 1) == GV_ERR_ENDED);
  CHECK(gv_counters(session, &counts) == GV_OK);
  /* Four events, two marks, two saves, a file, and one that tells of the save that was too large. */
  CHECK(counts.written == 10 && counts.dropped == 1 && counts.bytes > 16384);
  return 0;
}

static void *rush_in_thread(void *argument) {
  int thread = (int)(size_t)argument;
  for (long number = 0; number < count; number++) {
    char json[160], told[32];
    snprintf(json, sizeof json, "{\"thread\":%d,\"n\":%ld,\"x\":12.5,\"level\":\"the old mill\",\"hp\":77}", thread, number);
    /* A full ring is no failure of this test: the next event has the same number. */
    while (gv_event(session, "step", json) == GV_ERR_FULL) usleep(100);
    int len = snprintf(told, sizeof told, "%d %ld\n", thread, number);
    if (write(1, told, (size_t)len) != len) exit(1);
  }
  return NULL;
}

static int rush(const char *spool, int threads) {
  pthread_t handles[16];
  session = gv_session_begin(spool, "42", NULL);
  CHECK(session != NULL && threads <= 16);
  gv_save(session, "auto", "0123456789", 10);
  for (int thread = 0; thread < threads; thread++)
    CHECK(pthread_create(&handles[thread], NULL, rush_in_thread, (void *)(size_t)thread) == 0);
  for (int thread = 0; thread < threads; thread++) pthread_join(handles[thread], NULL);
  pause();
  return 0;
}

static int flood(const char *spool) {
  static char save[300000];
  gv_counts counts;
  int ended;
  session = gv_session_begin(spool, "42", "{\"ring_bytes\":65536}");
  CHECK(session != NULL);
  for (long number = 0; number < count; number++) {
    char json[64];
    snprintf(json, sizeof json, "{\"n\":%ld}", number);
    int code = gv_event(session, "step", json);
    CHECK(code == GV_OK || code == GV_ERR_FULL);
    if (number % 100 == 0) usleep(1000);
    if (number == count / 2) CHECK(gv_save(session, "large", save, sizeof save) == GV_OK);
  }
  ended = gv_session_end(session, GV_CLEAN);
  CHECK(ended == GV_OK || ended == GV_ERR_IO);
  CHECK(gv_counters(session, &counts) == GV_OK);
  printf("%d %llu %llu\n", ended, (unsigned long long)counts.written, (unsigned long long)counts.dropped);
  return 0;
}

static int brief(const char *spool) {
  session = gv_session_begin(spool, NULL, NULL);
  CHECK(session != NULL);
  CHECK(gv_session_end(session, GV_CLEAN) == GV_OK);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "all") == 0) return all(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "brief") == 0) return brief(argv[2]);
  count = argc > 3 ? atol(argv[3]) : 0;
  if (argc == 5 && strcmp(argv[1], "rush") == 0) return rush(argv[2], atoi(argv[4]));
  if (argc == 4 && strcmp(argv[1], "flood") == 0) return flood(argv[2]);
  return 2;
}
