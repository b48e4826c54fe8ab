/* A file system that fails, for tests: loaded before libc, it fails the n-th call of a kind on files under a directory. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, OPEN = 8, DELETE = 16, RENAME = 32, LOCK = 64, MAP = 128 };

/* Shared with the test: the kinds that count, which call fails, whether all after it do, how many there were, how many failed. */
static volatile long long *control;
static const char *under;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("FAULTS_CONTROL");
  under = getenv("FAULTS_UNDER");
  if (!file || !under) return;
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR);
  if (fd < 0) abort();
  void *memory = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) abort();
  control = memory;
}

static int is_ours(const char *path) { return control && strncmp(path, under, strlen(under)) == 0; }

static int is_our_file(int fd) {
  char link[64], path[4096];
  if (!control || fd < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

static int fails(int kind) {
  if (!(control[0] & kind)) return 0;
  long long call = ++control[3];
  if (call != control[1] && !(control[2] && call > control[1])) return 0;
  ++control[4];
  errno = EIO;
  return 1;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = dlsym(RTLD_NEXT, name)

/* Half of what a failing write was to write is there. */
#define WRITES(name) \
  ssize_t name(int fd, const void *bytes, size_t length) { \
    REAL(ssize_t, #name, int, const void *, size_t); \
    if (is_our_file(fd) && fails(WRITE)) { real(fd, bytes, length / 2); errno = EIO; return -1; } \
    return real(fd, bytes, length); \
  }
#define PWRITES(name) \
  ssize_t name(int fd, const void *bytes, size_t length, off_t at) { \
    REAL(ssize_t, #name, int, const void *, size_t, off_t); \
    if (is_our_file(fd) && fails(WRITE)) { real(fd, bytes, length / 2, at); errno = EIO; return -1; } \
    return real(fd, bytes, length, at); \
  }
#define SYNCS(name) \
  int name(int fd) { \
    REAL(int, #name, int); \
    if (is_our_file(fd) && fails(SYNC)) return -1; \
    return real(fd); \
  }
#define TRUNCATES(name) \
  int name(int fd, off_t length) { \
    REAL(int, #name, int, off_t); \
    if (is_our_file(fd) && fails(TRUNCATE)) return -1; \
    return real(fd, length); \
  }
#define OPENS(name) \
  int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (is_ours(path) && fails(OPEN)) return -1; \
    return real(path, flags, mode); \
  }
#define LOCKS(name) \
  int name(int fd, int command, ...) { \
    REAL(int, #name, int, int, ...); \
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest); \
    if (command == F_SETLK && is_our_file(fd) && fails(LOCK)) return -1; \
    return real(fd, command, argument); \
  }
#define MAPS(name) \
  void *name(void *address, size_t length, int protection, int flags, int fd, off_t at) { \
    REAL(void *, #name, void *, size_t, int, int, int, off_t); \
    if (is_our_file(fd) && fails(MAP)) return MAP_FAILED; \
    return real(address, length, protection, flags, fd, at); \
  }

WRITES(write)
PWRITES(pwrite)
PWRITES(pwrite64)
SYNCS(fsync)
SYNCS(fdatasync)
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)
OPENS(open)
OPENS(open64)
LOCKS(fcntl)
LOCKS(fcntl64)
MAPS(mmap)
MAPS(mmap64)

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  if (is_ours(path) && fails(DELETE)) return -1;
  return real(path);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  if (is_ours(to) && fails(RENAME)) return -1;
  return real(from, to);
}
