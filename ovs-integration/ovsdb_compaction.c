// Compaction beside the running server: a log file is replaced by a snapshot of the contents while
// transactions go on.
//
//   server's thread          child process              follower thread
//   fork() ───────────────▶  FILE.compact: snapshot
//   FILE: transactions ...   of the moment, synced
//                            _exit() ────────────────▶  reads it back through libovsdb;
//                                                       copies what FILE has got since, and reads
//                                                       that back, until little is left
//   copies the rest; one  ◀───────────────────────────  done
//   record says "compacted"; syncs it, renames FILE.compact to FILE
//
// The child has the memory of the moment (copy on write), so that the server pauses for fork()
// alone, and for the last few records. Until the rename FILE is complete; from then on the new one
// is: a crash at any moment leaves one of them. Whatever fails, FILE goes on.
//
// The process has other threads. The child therefore does nothing that might need a lock that one
// of them held when it was forked: it writes the snapshot and ends. Memory it may allocate (glibc
// sees to it). What it inherited it closes first, or a client's connection would stay open for as
// long as the child runs.
//
// Reading back is what makes libovsdb's log object stand at the new file's end, which nothing else
// of its interface does; and nothing takes the old file's place that can't be read.
//
// The log object of a database is known to its storage alone. hnv_compaction_run() asks the storage
// to store a snapshot, and __wrap_ovsdb_log_replace(), put in place by the linker (--wrap, given by
// this folder's CMake target), hands it the file that is ready instead of writing one.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovs-atomic.h"
#include "ovs-integration/ovsdb_log_file.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "ovsdb-error.h"
#include "ovsdb/log.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/storage.h"
#include "seq.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_compaction);

// What may be left for the server's thread to copy.
#define LITTLE (256 * 1024)
// How long a child may take. It is a guard against one that never ends, and no measure of its work.
#define CHILD_MSEC (10 * 60 * 1000)
// Of the child: the server and the switch come first.
#define CHILD_NICE 10

struct hnv_compaction {
    struct ovsdb* db;
    char* temporary;         // FILE.compact, beside what FILE is a link to.
    int old_fd;              // FILE, for reading what has been added.
    struct stat old_status;  // Which file that was.
    long long started;       // Monotonic, ms.
    long long forked;        // How long fork() took, ms.
    pid_t child;
    int child_fd;   // The child holds its other end until it ends.
    int cancel_fd;  // Written to when the child is to be killed.
    pthread_t follower;
    struct seq* done;
    uint64_t done_before;

    atomic_uint64_t end;  // Of FILE, at the end of a record: written by the server's thread.

    // The follower's until it is done, then the server's.
    int new_fd;
    struct ovsdb_log* log;  // FILE.compact; read up to its end.
    off_t copied;           // Up to where FILE's contents are in FILE.compact.
    char* error;
};

// Taken by __wrap_ovsdb_log_replace(): set on the server's thread, for the one call that it makes.
static struct {
    struct ovsdb_log* log;
    const char* error;
} ready;

struct ovsdb_error* __real_ovsdb_log_replace(struct ovsdb_log*, struct json**, size_t);
struct ovsdb_error* __wrap_ovsdb_log_replace(struct ovsdb_log*, struct json**, size_t);

struct ovsdb_error* __wrap_ovsdb_log_replace(struct ovsdb_log* log, struct json** entries,
                                             size_t n) {
    if (ready.error) {
        return ovsdb_error(NULL, "%s", ready.error);
    }
    if (ready.log) {
        struct ovsdb_log* replacement = ready.log;
        ready.log = NULL;
        return ovsdb_log_replace_commit(log, replacement);
    }
    return __real_ovsdb_log_replace(log, entries, n);
}

// Never returns. See the top for what must not be done here.
static void be_child(const struct ovsdb* db, int fd, int report_fd, pid_t parent) {
    // The two that are kept, out of the way of the rest.
    const int kept[] = {fcntl(fd, F_DUPFD, 64), fcntl(report_fd, F_DUPFD, 64)};
    if (kept[0] < 0 || kept[1] < 0 || dup2(kept[0], 3) < 0 || dup2(kept[1], 4) < 0) {
        _exit(errno);
    }
    closefrom(5);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    signal(SIGXFSZ, SIG_IGN);  // A limit is an error of the write.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(ESRCH);
    }
    setpriority(PRIO_PROCESS, 0, CHILD_NICE);
    _exit(hnv_snapshot_write(db, 3));
}

static char* wait_for_child(struct hnv_compaction* c) {
    struct pollfd fds[] = {{.fd = c->child_fd, .events = POLLIN},
                           {.fd = c->cancel_fd, .events = POLLIN}};
    int n;
    do {
        n = poll(fds, ARRAY_SIZE(fds), CHILD_MSEC);
    } while (n < 0 && errno == EINTR);
    if (n == 0 || fds[1].revents) {
        kill(c->child, SIGKILL);
    }
    int status = 0;
    while (waitpid(c->child, &status, 0) < 0) {
        if (errno != EINTR) {
            return xasprintf("the process that writes it was lost (%s)", ovs_strerror(errno));
        }
    }
    return !WIFEXITED(status) ? xstrdup("the process that writes it was killed")
           : WEXITSTATUS(status)
               ? xasprintf("cannot write it (%s)", ovs_strerror(WEXITSTATUS(status)))
               : NULL;
}

static char* read_records(struct ovsdb_log* log, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct json* json;
        struct ovsdb_error* error = ovsdb_log_read(log, &json);
        if (error) {
            return ovsdb_error_to_string_free(error);
        }
        if (!json) {
            return xstrdup("it ends too early");
        }
        json_destroy(json);
    }
    return NULL;
}

// Copies FILE's complete records from where it was copied last up to 'end', and reads them back.
static char* copy_up_to(struct hnv_compaction* c, off_t end) {
    if (end <= c->copied) {
        return end == c->copied ? NULL : xstrdup("the old file was cut");
    }
    const long int page = sysconf(_SC_PAGESIZE);
    const off_t base = c->copied - c->copied % page;
    const size_t mapped = (size_t)(end - base);
    char* map = mmap(NULL, mapped, PROT_READ, MAP_SHARED, c->old_fd, base);
    if (map == MAP_FAILED) {
        return xasprintf("cannot read the old file (%s)", ovs_strerror(errno));
    }
    const char* data = map + (c->copied - base);
    size_t n_records;
    const size_t size = hnv_log_complete(data, (size_t)(end - c->copied), &n_records);
    size_t done;
    const int error = write_fully(c->new_fd, data, size, &done);
    munmap(map, mapped);
    if (error) {
        return xasprintf("cannot write it (%s)", ovs_strerror(error));
    }
    c->copied += (off_t)size;
    return c->copied == end ? read_records(c->log, n_records)
                            : xstrdup("the old file has something other than records");
}

static off_t known_end(struct hnv_compaction* c) {
    uint64_t end;
    atomic_read(&c->end, &end);
    return (off_t)end;
}

static char* follow_up(struct hnv_compaction* c) {
    char* error = wait_for_child(c);
    if (error) {
        return error;
    }
    struct ovsdb_error* opened =
        ovsdb_log_open(c->temporary, OVSDB_MAGIC, OVSDB_LOG_READ_WRITE, false, &c->log);
    if (opened) {
        c->log = NULL;
        return ovsdb_error_to_string_free(opened);
    }
    error = read_records(c->log, 2);
    ovsdb_log_mark_base(c->log);
    while (!error && known_end(c) - c->copied > LITTLE) {
        error = copy_up_to(c, known_end(c));
    }
    // What is left for the server's thread is then little to sync, too.
    if (!error && fdatasync(c->new_fd)) {
        error = xasprintf("cannot sync it (%s)", ovs_strerror(errno));
    }
    return error;
}

static void* follower_main(void* compaction) {
    struct hnv_compaction* c = compaction;
    ovsrcu_quiesce_start();
    c->error = follow_up(c);
    seq_change(c->done);
    return NULL;
}

static void destroy(struct hnv_compaction* c) {
    if (c->log) {
        ovsdb_log_close(c->log);
    }
    if (c->new_fd >= 0) {
        close(c->new_fd);
    }
    if (c->old_fd >= 0) {
        close(c->old_fd);
    }
    if (c->child_fd >= 0) {
        close(c->child_fd);
    }
    if (c->cancel_fd >= 0) {
        close(c->cancel_fd);
    }
    if (c->done) {
        seq_destroy(c->done);
    }
    free(c->error);
    free(c->temporary);
    free(c);
}

static char* open_files(struct hnv_compaction* c, const char* file) {
    c->old_fd = open(file, O_RDONLY | O_CLOEXEC);
    if (c->old_fd < 0 || fstat(c->old_fd, &c->old_status)) {
        return xasprintf("%s: cannot be opened (%s)", file, ovs_strerror(errno));
    }
    c->copied = c->old_status.st_size;
    atomic_init(&c->end, (uint64_t)c->copied);
    c->new_fd = open(c->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    if (c->new_fd < 0) {
        return xasprintf("%s: cannot be created (%s)", c->temporary, ovs_strerror(errno));
    }
    return NULL;
}

static char* start_child(struct hnv_compaction* c) {
    int report[2];
    c->cancel_fd = eventfd(0, EFD_CLOEXEC);
    if (c->cancel_fd < 0) {
        return xasprintf("no event descriptor (%s)", ovs_strerror(errno));
    }
    if (pipe2(report, O_CLOEXEC)) {
        return xasprintf("no pipe (%s)", ovs_strerror(errno));
    }
    c->child_fd = report[0];
    const pid_t parent = getpid();
    const long long before = time_msec();
    c->child = fork();
    if (c->child == 0) {
        be_child(c->db, c->new_fd, report[1], parent);
    }
    c->forked = time_msec() - before;
    close(report[1]);
    return c->child < 0 ? xasprintf("no second process (%s)", ovs_strerror(errno)) : NULL;
}

// Has the storage take the new file, or, after a failure, plan the next attempt.
static char* hand_over(struct hnv_compaction* c) {
    ready.log = c->error ? NULL : c->log;
    ready.error = c->error;
    if (!c->error) {
        c->log = NULL;  // ovsdb_log_replace_commit() takes it, whatever comes of it.
    }
    struct ovsdb_error* error = ovsdb_storage_store_snapshot(c->db->storage, NULL, NULL, 0);
    ready.log = NULL;
    ready.error = NULL;
    return error ? ovsdb_error_to_string_free(error) : NULL;
}

char* hnv_compaction_start(struct ovsdb* db, const char* file,
                           struct hnv_compaction** compactionp) {
    struct hnv_compaction* c = xzalloc(sizeof *c);
    c->db = db;
    c->old_fd = c->new_fd = c->child_fd = c->cancel_fd = -1;
    char* real_name = follow_symlinks(file);
    c->temporary = xasprintf("%s.compact", real_name);
    free(real_name);
    c->started = time_msec();
    char* error = open_files(c, file);
    if (!error) {
        error = start_child(c);
    }
    if (error) {
        unlink(c->temporary);
        c->error = error;
        error = hand_over(c);
        destroy(c);
        *compactionp = NULL;
        return error;
    }
    c->done = seq_create();
    c->done_before = seq_read(c->done);
    c->follower = ovs_thread_create("compaction", follower_main, c);
    *compactionp = c;
    return NULL;
}

// A client that converts the database replaces FILE as well: then ours is out of date.
static bool is_same_file(const struct hnv_compaction* c, const struct stat* status) {
    return status->st_dev == c->old_status.st_dev && status->st_ino == c->old_status.st_ino;
}

static char* finish(struct hnv_compaction* c, const char* file) {
    struct stat status;
    if (stat(file, &status) || !is_same_file(c, &status)) {
        return xstrdup("the file was replaced meanwhile");
    }
    char* error = copy_up_to(c, status.st_size);
    if (error) {
        return error;
    }
    // Writing through the log object ends its reading. It also keeps the snapshot from being the
    // last record, where damage would be taken for a write cut short.
    struct json* mark = json_object_create();
    json_object_put_string(mark, "_comment", "end of compaction");
    json_object_put(mark, "_date", json_integer_create(time_wall_msec()));
    struct ovsdb_error* written = ovsdb_log_write_and_free(c->log, mark);
    return written ? ovsdb_error_to_string_free(written) : NULL;
}

static void* close_main(void* fd) {
    close((int)(intptr_t)fd);
    return NULL;
}

// The last one who closes the old file waits until the file system has given its blocks back.
static void close_elsewhere(int* fd) {
    pthread_detach(ovs_thread_create("close", close_main, (void*)(intptr_t)*fd));
    *fd = -1;
}

bool hnv_compaction_run(struct hnv_compaction* c, char** errorp) {
    struct stat status;
    const char* suffix = strrchr(c->temporary, '.');
    char* file = xmemdup0(c->temporary, (size_t)(suffix - c->temporary));
    *errorp = NULL;
    if (seq_read(c->done) == c->done_before) {
        // What FILE has now was written whole: this is between two transactions.
        if (!stat(file, &status) && is_same_file(c, &status)) {
            atomic_store(&c->end, (uint64_t)status.st_size);
        }
        free(file);
        return false;
    }
    xpthread_join(c->follower, NULL);
    const long long pause = time_msec();
    if (!c->error) {
        c->error = finish(c, file);
    }
    *errorp = hand_over(c);
    if (*errorp) {
        unlink(c->temporary);
    } else {
        VLOG_INFO(
            "%s: compacted from %lld to %lld bytes in %lld ms; the server paused for %lld ms "
            "at its beginning and %lld ms at its end",
            file, (long long)c->copied, (long long)lseek(c->new_fd, 0, SEEK_END),
            time_msec() - c->started, c->forked, time_msec() - pause);
        close_elsewhere(&c->old_fd);
    }
    free(file);
    destroy(c);
    return true;
}

void hnv_compaction_wait(const struct hnv_compaction* c) { seq_wait(c->done, c->done_before); }

void hnv_compaction_cancel(struct hnv_compaction* c) {
    if (!c) {
        return;
    }
    eventfd_write(c->cancel_fd, 1);
    xpthread_join(c->follower, NULL);
    unlink(c->temporary);
    destroy(c);
}
