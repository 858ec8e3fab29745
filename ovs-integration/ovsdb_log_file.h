// Log files (ovsdb(5), "standalone") as bytes, for the ovsdb_*.c files beside this header alone.
//
// A log file is a row of records, each a header line "OVSDB JSON <bytes> <SHA-1 in hex>\n" and so
// many bytes of JSON. The first one is the schema, each other one a transaction.
#ifndef HNV_OVSDB_LOG_FILE_H
#define HNV_OVSDB_LOG_FILE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ovsdb;

// -- ovsdb_log_file.c: records, and what can be wrong with them -----------------------------------

enum hnv_log_record {
    HNV_LOG_WHOLE,      // Header and body are there, the checksum is right.
    HNV_LOG_CUT_SHORT,  // The data end within the record.
    HNV_LOG_WRONG_SUM,  // Header and body are there, the checksum is wrong.
    HNV_LOG_NO_RECORD,  // No header.
};

// Looks at the record that 'data' begins with. Stores its size, header included, unless there is no
// header that says so; that of a record cut short is larger than 'size'.
enum hnv_log_record hnv_log_look(const char* data, size_t size, bool check_sum,
                                 size_t* record_size);

// How many of the first 'size' bytes are records with all their bytes there, checksums aside.
size_t hnv_log_complete(const char* data, size_t size, size_t* n_records);

// Called when 'file', whose lock we hold, can't be read to its end; 'reason' is what libovsdb said.
// An end that a crash may have left (see ovsdb_log_file.c) is kept in FILE.torn.1 and cut off: then
// NULL comes back, and reading ends where the file now ends. Otherwise nothing is changed, and the
// error says where the damage is and what a person can do.
char* hnv_log_mend(const char* file, const char* reason);

// The sentence for a record, counted from 0, that is whole but can't be used.
char* hnv_log_refuse(const char* file, size_t record, const char* reason);

// -- ovsdb_snapshot.c: a database's contents as a log file ----------------------------------------

// Writes schema and rows of 'db' as a log file of two records to 'fd', at offset 0, and syncs it.
// For a forked child: allocates memory, but takes no other lock, logs nothing, and doesn't touch
// the reference counts of what it shares with its parent. Returns 0 or an errno.
int hnv_snapshot_write(const struct ovsdb* db, int fd);

// -- ovsdb_compaction.c: replacing a log file by a snapshot, beside the running server ------------

struct hnv_compaction;

// Starts one for the database in 'file'. On failure stores NULL.
char* hnv_compaction_start(struct ovsdb* db, const char* file, struct hnv_compaction** compactionp);

// Moves it on; to be called when nothing is half written. True once it has ended, well or not: then
// it is freed, and the error, if any, stored.
bool hnv_compaction_run(struct hnv_compaction* compaction, char** errorp);
void hnv_compaction_wait(const struct hnv_compaction* compaction);

// Gives it up; the old file goes on. NULL is allowed.
void hnv_compaction_cancel(struct hnv_compaction* compaction);

#endif
