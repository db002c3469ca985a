/* Records playtests of a game into a spool folder, from which GameVault collects them.
 *
 * All functions may be called from any thread. Strings end in NUL; they are UTF-8, and what is not is kept with U+FFFD in
 * its place. A NULL session is answered by GV_ERR_NULL, so a game need not check whether gv_session_begin succeeded.
 * Functions return 0, or one of the codes below; gv_last_error says why.
 *
 * gv_event, gv_mark and gv_log take a fifth of a microsecond: they make no system call, allocate nothing and wait for
 * nobody. What they took is safe when the game is killed in the next moment.
 */
#ifndef GAMEVAULT_REC_H
#define GAMEVAULT_REC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gv_session gv_session;

typedef struct gv_counts {
  uint64_t written; /* events that are in events.jsonl */
  uint64_t dropped; /* events, saves and files that were lost: the ring, the queue or the disk was full */
  uint64_t bytes;   /* the length of events.jsonl */
} gv_counts;

/* How a session ends. */
enum { GV_CLEAN = 0, GV_CRASH = 1, GV_KILLED = 2 };

enum {
  GV_OK = 0,
  GV_ERR_NULL = -1,      /* a session or an argument that must be there is NULL */
  GV_ERR_ENDED = -2,     /* the session has ended */
  GV_ERR_FULL = -3,      /* there is no room now: what was handed over is dropped, and counted */
  GV_ERR_INVALID = -4,   /* an argument is not of the kind that it must be */
  GV_ERR_NOT_FOUND = -5, /* there is no such file */
  GV_ERR_IO = -6,        /* the disk refused */
  GV_ERR_INTERNAL = -7   /* a fault of the library; the call had no effect */
};

/* Begins a session: a folder <spool>/<id>.open, and a thread that writes into it. Returns NULL when it cannot.
 *
 * spool:     the folder for sessions; NULL or "": $GAMEVAULT_SPOOL, else GameVault/spool in the user's data folder.
 * build:     the id of the build that is played; NULL or "": "build" or "stamp" of opts_json, else what `gamevault.json`
 *            says, as `gamevault stamp` writes it, beside the program or in the working folder.
 * opts_json: an object for session.json, or NULL: "player", "engine", "platform", "settings", and what you like. Two keys
 *            are for the library: "ring_bytes" (1 MiB: what events may wait) and "queue_bytes" (64 MiB: what saves may).
 *
 * Reads environment variables: no other thread may be setting one. */
gv_session *gv_session_begin(const char *spool, const char *build, const char *opts_json);

/* Records an event: its name, of up to 128 bytes, and an object with its fields, of up to 16 KiB, or NULL. What is no JSON,
 * or is longer, is kept as a string in "raw". */
int gv_event(gv_session *session, const char *name, const char *json);

/* Records that something is worth a look: an event "mark" with a tag and a text, which may be NULL. */
int gv_mark(gv_session *session, const char *tag, const char *text);

/* Copies a save, to be written to saves/<t>_<slot>.sav. GV_ERR_FULL when more than "queue_bytes" would wait. */
int gv_save(gv_session *session, const char *slot, const void *ptr, size_t len);

/* Copies a file in the background: pictures to screens/, minidumps to crash/, others to attached/. It must stay as it is
 * until the session ends. */
int gv_attach(gv_session *session, const char *path);

/* Adds a line to log.txt. */
int gv_log(gv_session *session, const char *text);

/* Tells what was recorded so far, also after the end. */
int gv_counters(gv_session *session, gv_counts *out);

/* Ends a session with GV_CLEAN, GV_CRASH or GV_KILLED, waits until all is written, and renames the folder to <spool>/<id>.
 * Other threads may still call; they are answered by GV_ERR_ENDED. Not for signal handlers: a session whose game died is
 * ended by GameVault, which finds all its events. End all sessions before you unload the library. */
int gv_session_end(gv_session *session, int status);

/* Returns why the last function of this thread that failed did, until the next call of this one. */
const char *gv_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
