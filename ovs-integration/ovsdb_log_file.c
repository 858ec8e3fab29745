// What can be wrong with a log file, and what may be mended.
//
// A crash, of the agent or of the machine, damages the end of the file alone: the last write cut
// short, or, after a power cut, a last record or some bytes that never reached the disk as they
// were meant. No client was told that such a write is durable. So an end is cut off, said, and kept
// beside the file, if all of this holds:
//
//   - no record header follows the damage: a record behind it would have been written after it;
//   - it is a record cut short, or a last record with a wrong checksum that ends with the file, or
//     no record at all but few bytes (zeros aside, which a file system may leave any number of);
//   - it is not the schema, nor the record after it: that is the snapshot in a compacted file,
//     which was synced before it took its place.
//
// Whether a last record with a wrong checksum was answered can't be known: after a power cut it
// most likely wasn't asked to be durable; if the disk changed it later, it was. It is kept and said
// like the others, so that a host comes back from a power cut by itself.
//
// Everything else is damage that no crash does, and what was answered may be behind it: nothing is
// changed then, and the agent does not start.
#include "ovs-integration/ovsdb_log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "sha1.h"
#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_log_file);

// What libovsdb reads as a header line at most.
#define MAX_HEADER 127
// Kept ends of a file, the youngest first: .torn.1 to .torn.4.
#define MAX_TORN 4
// More bytes than this, zeros aside, are no leftover of a write.
#define MAX_STRAY (64 * 1024)

static const char lead[] = "OVSDB JSON ";

// The length of the header line at the beginning of 'data', 0 if there is none.
static size_t parse_header(const char* data, size_t size, uint64_t* body,
                           uint8_t sha1[SHA1_DIGEST_SIZE]) {
    const size_t within = MIN(size, MAX_HEADER);
    const char* end = memchr(data, '\n', within);
    if (!end || strncmp(data, lead, MIN(strlen(lead), within))) {
        return 0;
    }
    char line[MAX_HEADER + 1];
    const size_t length = (size_t)(end - data);
    memcpy(line, data, length);
    line[length] = '\0';
    char* rest;
    errno = 0;
    *body = strtoull(line + strlen(lead), &rest, 10);
    if (errno || !*body || *body > INT64_MAX || *rest != ' ' || !sha1_from_hex(sha1, rest + 1) ||
        rest[1 + SHA1_HEX_DIGEST_LEN]) {
        return 0;
    }
    return length + 1;
}

enum hnv_log_record hnv_log_look(const char* data, size_t size, bool check_sum,
                                 size_t* record_size) {
    uint64_t body;
    uint8_t expected[SHA1_DIGEST_SIZE];
    const size_t header = parse_header(data, size, &body, expected);
    *record_size = 0;
    if (!header) {
        const bool begins_so = !strncmp(data, lead, MIN(strlen(lead), size));
        return begins_so && size < MAX_HEADER && !memchr(data, '\n', size) ? HNV_LOG_CUT_SHORT
                                                                           : HNV_LOG_NO_RECORD;
    }
    *record_size = header + (size_t)body;
    if (*record_size > size) {
        return HNV_LOG_CUT_SHORT;
    }
    if (check_sum) {
        uint8_t actual[SHA1_DIGEST_SIZE];
        struct sha1_ctx context;
        sha1_init(&context);
        for (uint64_t done = 0, part; done < body; done += part) {
            part = MIN(body - done, UINT32_MAX);
            sha1_update(&context, data + header + done, (uint32_t)part);
        }
        sha1_final(&context, actual);
        if (memcmp(expected, actual, sizeof actual)) {
            return HNV_LOG_WRONG_SUM;
        }
    }
    return HNV_LOG_WHOLE;
}

size_t hnv_log_complete(const char* data, size_t size, size_t* n_records) {
    size_t at = 0;
    size_t record;
    *n_records = 0;
    while (at < size && hnv_log_look(data + at, size - at, false, &record) == HNV_LOG_WHOLE) {
        at += record;
        ++*n_records;
    }
    return at;
}

// A file's contents, for reading.
struct contents {
    char* data;
    size_t size;
};

static char* map_contents(const char* file, struct contents* contents) {
    struct stat status;
    const int fd = open(file, O_RDONLY | O_CLOEXEC);
    char* error = NULL;
    *contents = (struct contents){NULL, 0};
    if (fd < 0 || fstat(fd, &status)) {
        error = xasprintf("%s: cannot be looked at (%s)", file, ovs_strerror(errno));
    } else if (status.st_size > 0) {
        contents->size = (size_t)status.st_size;
        contents->data = mmap(NULL, contents->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (contents->data == MAP_FAILED) {
            contents->data = NULL;
            error = xasprintf("%s: cannot be looked at (%s)", file, ovs_strerror(errno));
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static void unmap_contents(struct contents* contents) {
    if (contents->data) {
        munmap(contents->data, contents->size);
    }
}

// Where the first record is that isn't whole, or the record 'limit'; how many precede it.
static size_t skip_whole(const struct contents* contents, size_t limit, size_t* n_records) {
    size_t at = 0;
    size_t record;
    *n_records = 0;
    while (*n_records < limit && at < contents->size &&
           hnv_log_look(contents->data + at, contents->size - at, true, &record) == HNV_LOG_WHOLE) {
        at += record;
        ++*n_records;
    }
    return at;
}

static bool header_follows(const struct contents* contents, size_t at) {
    const char* end = contents->data + contents->size;
    const char* next = contents->data + at + 1;
    while (next < end && (next = memmem(next, (size_t)(end - next), lead, strlen(lead)))) {
        uint64_t body;
        uint8_t sha1[SHA1_DIGEST_SIZE];
        if (parse_header(next, (size_t)(end - next), &body, sha1)) {
            return true;
        }
        ++next;
    }
    return false;
}

static bool few_bytes(const char* data, size_t size) {
    size_t stray = 0;
    for (size_t i = 0; i < size; i++) {
        stray += data[i] != '\0';
    }
    return stray <= MAX_STRAY;
}

// Whether a crash may have left what stands at 'at': see the top.
static bool is_torn_end(const struct contents* contents, size_t at, size_t n_records,
                        const char** kind) {
    const char* data = contents->data + at;
    const size_t size = contents->size - at;
    size_t record;
    const enum hnv_log_record look = hnv_log_look(data, size, true, &record);
    *kind = look == HNV_LOG_CUT_SHORT   ? "a record cut short"
            : look == HNV_LOG_WRONG_SUM ? "a record with a wrong checksum"
            : look == HNV_LOG_NO_RECORD ? "no record"
                                        : "a record that is no JSON object";
    if (n_records < 2 || look == HNV_LOG_WHOLE || header_follows(contents, at)) {
        return false;
    }
    return look == HNV_LOG_CUT_SHORT || (look == HNV_LOG_WRONG_SUM && record == size) ||
           few_bytes(data, size);
}

// Saves what is about to be cut off in FILE.torn.1, those before moving one further.
static bool keep_end(const char* file, const char* data, size_t size) {
    char* name = xasprintf("%s.torn.%d", file, MAX_TORN);
    for (int i = MAX_TORN - 1; i >= 1; i--) {
        char* younger = xasprintf("%s.torn.%d", file, i);
        if (rename(younger, name) && errno != ENOENT) {
            VLOG_WARN("%s: cannot rename to %s (%s)", younger, name, ovs_strerror(errno));
        }
        free(name);
        name = younger;
    }
    const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    size_t written = 0;
    const int error = fd < 0 ? errno : write_fully(fd, data, size, &written);
    const bool kept = !error && !fsync(fd);
    if (!kept) {
        VLOG_ERR("%s: cannot keep the damaged end of %s there (%s)", name, file,
                 ovs_strerror(error ? error : errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(name);
    return kept;
}

static void cut_off(const char* file, const struct contents* contents, size_t at,
                    const char* kind) {
    const size_t size = contents->size - at;
    // Without room to keep it the end stays where it is, until the next write takes its place.
    const bool kept = keep_end(file, contents->data + at, size);
    VLOG_ERR("%s: damaged end at offset %" PRIuSIZE ": %s, %" PRIuSIZE
             " bytes, as a crash within a write leaves them; the contents up to there are used%s",
             file, at, kind, size,
             kept ? ", the rest is kept in the file beside it ending .torn.1" : "");
    const int fd = kept ? open(file, O_WRONLY | O_CLOEXEC) : -1;
    if (kept && (fd < 0 || ftruncate(fd, (off_t)at) || fsync(fd))) {
        VLOG_WARN("%s: cannot be cut now (%s); the next write does", file, ovs_strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    fsync_parent_dir(file);
}

static char* refusal(const char* file, size_t at, size_t n_records, const char* kind,
                     const char* reason) {
    char* head = n_records > 0 ? xasprintf("to keep what precedes the damage, `head -c %" PRIuSIZE
                                           " %s > %s.head` and put that in its place; ",
                                           at, file, file)
                               : xstrdup("");
    char* error = xasprintf(
        "%s: damaged at offset %" PRIuSIZE " (record %" PRIuSIZE
        ": %s), not as a crash would leave it, so that what was committed may be lost. Nothing was "
        "changed; the switch goes on forwarding with the flows that it has, but ARP and DHCP stay "
        "unanswered until the agent runs. Look at it with `ovsdb-tool show-log %s`; restore a "
        "backup; %sor `mv %s %s.damaged` to start with an empty database that the controller fills "
        "again. (%s)",
        file, at, n_records, kind, file, head, file, file, reason);
    free(head);
    return error;
}

char* hnv_log_mend(const char* file, const char* reason) {
    struct contents contents;
    char* error = map_contents(file, &contents);
    if (error) {
        return error;
    }
    size_t n_records = 0;
    const size_t at = contents.data ? skip_whole(&contents, SIZE_MAX, &n_records) : 0;
    const char* kind = "the file is empty";
    if (contents.data && at == contents.size) {
        // The checksums are right: written so, by no crash.
        error = refusal(file, at, n_records, "unusable contents before it", reason);
    } else if (contents.data && is_torn_end(&contents, at, n_records, &kind)) {
        cut_off(file, &contents, at, kind);
    } else {
        error = refusal(file, at, n_records, kind, reason);
    }
    unmap_contents(&contents);
    return error;
}

char* hnv_log_refuse(const char* file, size_t record, const char* reason) {
    struct contents contents;
    char* error = map_contents(file, &contents);
    if (!error) {
        size_t n_records = 0;
        const size_t at = contents.data ? skip_whole(&contents, record, &n_records) : 0;
        error = refusal(file, at, n_records, "whole, but no transaction that fits", reason);
        unmap_contents(&contents);
    }
    return error;
}
