// Preloaded into user-mode Linux (linux.uml of Debian 12, Linux 6.1).
//
// That kernel hands its processes' floating point registers to the machine's kernel in a buffer
// made for AVX. A machine with AVX-512 or more wants a longer one, refuses, and the first process
// dies. Told that the machine has no such register set, it takes the older one (x87 and SSE)
// instead. What runs in it must use no more than that; see linux_peer.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>

long ptrace(enum __ptrace_request request, ...) {
    va_list rest;
    va_start(rest, request);
    const pid_t pid = va_arg(rest, pid_t);
    void* address = va_arg(rest, void*);
    void* data = va_arg(rest, void*);
    va_end(rest);
    if ((request == PTRACE_GETREGSET || request == PTRACE_SETREGSET) &&
        (uintptr_t)address == NT_X86_XSTATE) {
        errno = ENODEV;
        return -1;
    }
    long (*real)(enum __ptrace_request, pid_t, void*, void*) = dlsym(RTLD_NEXT, "ptrace");
    return real(request, pid, address, data);
}
