/* Preloaded into a process and all that it starts: lays what the file SOAK_CLOCK says over its clocks.
 * The wall clock is ahead by so many seconds; the boot-time clock runs at so many millionths of its rate, and is ahead
 * by so many nanoseconds. Timers of the boot-time clock follow it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL
#define MILLION 1000000LL
#define MOST 1024

struct page { long long wall_s, boot_ns, rate; };

static const volatile struct page *page;
static int (*ask)(clockid_t, struct timespec *);
static char is_boot[MOST];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SOAK_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *found = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, file, 0);
        page = found == MAP_FAILED ? NULL : found;
        close(file);
    }
    ask = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

static void put(struct timespec *moment, long long ns) {
    moment->tv_sec = ns / BILLION;
    moment->tv_nsec = ns % BILLION;
}

static long long rate(void) { return page->rate ? page->rate : MILLION; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!ask) begin(); /* another library's constructor is before ours */
    int failed = ask(clock, now);
    if (failed || !page) return failed;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += page->wall_s;
    if (clock == CLOCK_BOOTTIME)
        put(now, (long long)((__int128)(now->tv_sec * BILLION + now->tv_nsec) * rate() / MILLION) + page->boot_ns);
    return 0;
}

int timerfd_create(int clock, int flags) {
    int (*make)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "timerfd_create");
    int made = make(clock, flags);
    if (made >= 0 && made < MOST) is_boot[made] = clock == CLOCK_BOOTTIME;
    return made;
}

int timerfd_settime(int timer, int flags, const struct itimerspec *value, struct itimerspec *before) {
    int (*set)(int, int, const struct itimerspec *, struct itimerspec *) =
        (int (*)(int, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT, "timerfd_settime");
    struct itimerspec real = *value;
    long long ns = value->it_value.tv_sec * BILLION + value->it_value.tv_nsec;
    if (page && ns && timer >= 0 && timer < MOST && is_boot[timer] && (flags & TFD_TIMER_ABSTIME)) {
        long long left = (long long)((__int128)(ns - page->boot_ns) * MILLION / rate());
        put(&real.it_value, left > 0 ? left : 1);
    }
    return set(timer, flags, &real, before);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
