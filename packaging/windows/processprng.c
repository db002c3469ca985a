/* The random numbers of bcryptprimitives.dll for wine before 8.13, which has none: Rust's standard library imports
 * ProcessPrng from it, and no program starts without. For tests under wine alone; it is never shipped. Built and put
 * into a prefix of its own by scripts/cross-check. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T len)
{
    return RtlGenRandom(data, (ULONG)len);
}
