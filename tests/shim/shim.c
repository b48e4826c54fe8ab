/* A PKCS#11 module that hands every call on to the one that SHIM_MODULE names, unless a rule of the file SHIM_RULES
 * says otherwise. A file is read at each call, so a test changes the rules while the module runs. SHIM_CALLS names a
 * file that gets a line for each call: process, function, token.
 *
 * A rule is a line: FUNCTION [token=LABEL] [nth=N] [idle=MS] WHAT
 *   hang      the call waits until the rule is gone, then goes on
 *   fail=HEX  the call answers this CK_RV and does nothing
 *   wrong     of C_Sign: one bit of the signature is another one
 *   long      of C_Sign: claims a signature of 1 GiB
 *   abort     the process ends by SIGABRT in the call
 *   say       writes much on standard output and standard error, then goes on
 *   tell      of C_Login: writes the PIN on standard error, then goes on
 * nth=N: only the N-th call of this function in its process. idle=MS: only when the session was not used for as long.
 *
 * Deliberately without PKCS#11's headers: of their structures it needs the order of functions alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

#define FUNCTIONS 68
struct list {
    unsigned char version[2];
    function functions[FUNCTIONS];
};

enum about { NOTHING, SLOT, SESSION };
struct known {
    int index;
    const char *name;
    enum about about;
};

#define OK 0UL
#define GENERAL_ERROR 5UL
enum { INITIALIZE, FINALIZE, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, CLOSE_SESSION, GET_SESSION_INFO = 15,
       LOGIN = 18, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26, FIND_OBJECTS, SIGN_INIT = 42, SIGN };
static const struct known KNOWN[] = {
    {INITIALIZE, "C_Initialize", NOTHING},
    {FINALIZE, "C_Finalize", NOTHING},
    {GET_SLOT_LIST, "C_GetSlotList", NOTHING},
    {GET_TOKEN_INFO, "C_GetTokenInfo", SLOT},
    {OPEN_SESSION, "C_OpenSession", SLOT},
    {CLOSE_SESSION, "C_CloseSession", SESSION},
    {GET_SESSION_INFO, "C_GetSessionInfo", SESSION},
    {LOGIN, "C_Login", SESSION},
    {GET_ATTRIBUTE_VALUE, "C_GetAttributeValue", SESSION},
    {FIND_OBJECTS_INIT, "C_FindObjectsInit", SESSION},
    {FIND_OBJECTS, "C_FindObjects", SESSION},
    {SIGN_INIT, "C_SignInit", SESSION},
    {SIGN, "C_Sign", SESSION},
};
#define COUNT (sizeof KNOWN / sizeof *KNOWN)

#define SESSIONS 256
static struct {
    uintptr_t handle, slot;
    long used;
} sessions[SESSIONS];
static unsigned long calls[COUNT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list *real, ours;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void label_of(uintptr_t slot, char *label) {
    unsigned char info[512] = {0};
    label[0] = 0;
    if (real->functions[GET_TOKEN_INFO](slot, (uintptr_t)info, 0, 0, 0, 0) != OK) return;
    memcpy(label, info, 32);
    label[32] = 0;
    for (int i = 31; i >= 0 && label[i] == ' '; i--) label[i] = 0;
}

/* Whether a rule is for this call, and what it says. */
static int rule(const char *name, const char *label, unsigned long nth, long idle, char *what) {
    const char *path = getenv("SHIM_RULES");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[256];
    int found = 0;
    if (!file) return 0;
    while (!found && fgets(line, sizeof line, file)) {
        char *rest, *part = strtok_r(line, " \n", &rest);
        if (!part || strcmp(part, name)) continue;
        int fits = 1;
        what[0] = 0;
        while ((part = strtok_r(NULL, " \n", &rest))) {
            if (!strncmp(part, "token=", 6)) fits &= !strcmp(part + 6, label);
            else if (!strncmp(part, "nth=", 4)) fits &= strtoul(part + 4, NULL, 10) == nth;
            else if (!strncmp(part, "idle=", 5)) fits &= idle >= strtol(part + 5, NULL, 10);
            else snprintf(what, 64, "%s", part);
        }
        found = fits && what[0];
    }
    fclose(file);
    return found;
}

static void note(const char *name, const char *label) {
    const char *path = getenv("SHIM_CALLS");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    char line[128];
    if (file < 0) return;
    int length = snprintf(line, sizeof line, "%d %s %s\n", (int)getpid(), name, label);
    if (write(file, line, length) < 0) abort();
    close(file);
}

static word call(unsigned which, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f) {
    const struct known *known = &KNOWN[which];
    char label[33] = "", what[64] = "";
    uintptr_t slot = a;
    long idle = 0;
    int has_slot = known->about == SLOT;
    pthread_mutex_lock(&lock);
    unsigned long nth = ++calls[which];
    for (int i = 0; known->about == SESSION && i < SESSIONS; i++)
        if (sessions[i].used && sessions[i].handle == a) {
            slot = sessions[i].slot;
            idle = now() - sessions[i].used;
            sessions[i].used = now();
            has_slot = 1;
        }
    pthread_mutex_unlock(&lock);
    if (has_slot) label_of(slot, label);
    note(known->name, label);

    int found = rule(known->name, label, nth, idle, what);
    while (found && !strcmp(what, "hang")) {
        sleep_ms(20);
        found = rule(known->name, label, nth, idle, what);
    }
    if (found && !strcmp(what, "abort")) abort();
    if (found && !strncmp(what, "fail=", 5)) return strtoul(what + 5, NULL, 16);
    if (found && !strcmp(what, "say"))
        for (int i = 0; i < 5000; i++) {
            printf("the module says on standard output %d\n", i);
            fprintf(stderr, "the module says \x1b[31m on standard error %d\n", i);
        }
    fflush(stdout);
    if (found && !strcmp(what, "tell") && known->index == LOGIN)
        fprintf(stderr, "the PIN is %.*s\n", (int)d, (const char *)c);
    if (found && !strcmp(what, "long") && known->index == SIGN) {
        *(word *)e = 1UL << 30;
        return OK;
    }

    word answer = real->functions[known->index](a, b, c, d, e, f);
    if (found && !strcmp(what, "wrong") && known->index == SIGN && answer == OK && d)
        ((unsigned char *)d)[7] ^= 1;
    pthread_mutex_lock(&lock);
    for (int i = 0; known->index == OPEN_SESSION && answer == OK && i < SESSIONS; i++)
        if (!sessions[i].used) {
            sessions[i].handle = *(word *)e;
            sessions[i].slot = a;
            sessions[i].used = now();
            break;
        }
    for (int i = 0; i < SESSIONS; i++)
        if (known->index == FINALIZE || (known->index == CLOSE_SESSION && sessions[i].handle == a))
            sessions[i].used = 0;
    pthread_mutex_unlock(&lock);
    return answer;
}

#define OURS(n)                                                                                                        \
    static word f##n(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f) {                   \
        return call(n, a, b, c, d, e, f);                                                                              \
    }
OURS(0) OURS(1) OURS(2) OURS(3) OURS(4) OURS(5) OURS(6) OURS(7) OURS(8) OURS(9) OURS(10) OURS(11) OURS(12)
static const function OUR[COUNT] = {f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12};

word C_GetFunctionList(struct list **list) {
    word (*get)(struct list **) = NULL;
    const char *path = getenv("SHIM_MODULE");
    void *module = path ? dlopen(path, RTLD_NOW) : NULL;
    if (module) get = (word(*)(struct list **))dlsym(module, "C_GetFunctionList");
    if (!get || get(&real) != OK) return GENERAL_ERROR;
    ours = *real;
    for (unsigned i = 0; i < COUNT; i++) ours.functions[KNOWN[i].index] = OUR[i];
    *list = &ours;
    return OK;
}
