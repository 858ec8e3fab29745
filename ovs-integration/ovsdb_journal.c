// Hearing of commits in process.
//
// libovsdb has no commit hook, and its transaction history records only what is replayed from
// storage (clustered and relay databases). Every commit, whoever makes it, does pass through
// ovsdb_monitors_commit(), once it is in the log and before it becomes visible; and a replacement
// of a whole database passes through ovsdb_monitor_prereplace_db(). The linker puts the two
// __wrap_ functions below in their places (--wrap, given by this folder's CMake target).
//
// The hooks only copy: rows go into a queue, which the server empties when nothing is half done.
#include "bitmap.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"
#include "ovs-integration/ovsdb_shim.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "ovsdb/transaction.h"
#include "util.h"

void __real_ovsdb_monitors_commit(struct ovsdb*, const struct ovsdb_txn*);
void __real_ovsdb_monitor_prereplace_db(struct ovsdb*);
void __wrap_ovsdb_monitors_commit(struct ovsdb*, const struct ovsdb_txn*);
void __wrap_ovsdb_monitor_prereplace_db(struct ovsdb*);

struct entry {
    struct ovs_list node;  // In hnv_ovsdb_journal's 'entries'.
    enum hnv_ovsdb_event_kind kind;
    struct ovsdb* db;
    struct hnv_ovsdb_row* before;  // Owned.
    struct hnv_ovsdb_row* after;   // Owned.
    bool foreign;
};

struct hnv_ovsdb_journal {
    struct ovs_list entries;
};

// Which journal follows which database. The hooks get no context of ours, so this is static; there
// are as many of them as databases in the process, and all belong to the server's thread.
struct follower {
    struct ovs_list node;
    struct ovsdb* db;
    struct hnv_ovsdb_journal* journal;
};
static struct ovs_list followers = OVS_LIST_INITIALIZER(&followers);

static bool own_transaction;

void hnv_ovsdb_journal_own(bool own) { own_transaction = own; }

static struct follower* find_follower(const struct ovsdb* db) {
    struct follower* follower;
    LIST_FOR_EACH(follower, node, &followers) {
        if (follower->db == db) {
            return follower;
        }
    }
    return NULL;
}

static void entry_destroy(struct entry* entry) {
    hnv_ovsdb_row_unref(entry->before);
    hnv_ovsdb_row_unref(entry->after);
    free(entry);
}

static struct entry* append(struct hnv_ovsdb_journal* journal, enum hnv_ovsdb_event_kind kind,
                            struct ovsdb* db) {
    struct entry* entry = xzalloc(sizeof *entry);
    entry->kind = kind;
    entry->db = db;
    ovs_list_push_back(&journal->entries, &entry->node);
    return entry;
}

static bool record_row(const struct ovsdb_row* before, const struct ovsdb_row* after,
                       const unsigned long int* changed, void* follower_) {
    struct follower* follower = follower_;
    const struct ovsdb_table* table = after ? after->table : before->table;
    if (before && after && bitmap_is_all_zeros(changed, shash_count(&table->schema->columns))) {
        return true;  // Drawn into the transaction by a reference count alone.
    }
    struct entry* entry = append(follower->journal, HNV_OVSDB_EVENT_ROW, follower->db);
    entry->foreign = !own_transaction;
    entry->before = before ? hnv_ovsdb_row_copy(before) : NULL;
    entry->after = after ? hnv_ovsdb_row_copy(after) : NULL;
    return true;
}

void __wrap_ovsdb_monitors_commit(struct ovsdb* db, const struct ovsdb_txn* txn) {
    struct follower* follower = find_follower(db);
    if (follower) {
        const struct ovs_list* last = follower->journal->entries.prev;
        ovsdb_txn_for_each_change(txn, record_row, follower);
        if (follower->journal->entries.prev != last) {
            append(follower->journal, HNV_OVSDB_EVENT_COMMIT, db);
        }
    }
    __real_ovsdb_monitors_commit(db, txn);
}

void __wrap_ovsdb_monitor_prereplace_db(struct ovsdb* db) {
    struct follower* follower = find_follower(db);
    if (follower) {
        hnv_ovsdb_journal_discard(follower->journal, db);
        append(follower->journal, HNV_OVSDB_EVENT_REPLACED, db);
    }
    __real_ovsdb_monitor_prereplace_db(db);
}

struct hnv_ovsdb_journal* hnv_ovsdb_journal_create(void) {
    struct hnv_ovsdb_journal* journal = xzalloc(sizeof *journal);
    ovs_list_init(&journal->entries);
    return journal;
}

void hnv_ovsdb_journal_destroy(struct hnv_ovsdb_journal* journal) {
    if (journal) {
        ovs_assert(ovs_list_is_empty(&journal->entries));
        free(journal);
    }
}

void hnv_ovsdb_journal_follow(struct hnv_ovsdb_journal* journal, struct ovsdb* db) {
    ovs_assert(!find_follower(db));
    struct follower* follower = xmalloc(sizeof *follower);
    follower->db = db;
    follower->journal = journal;
    ovs_list_push_back(&followers, &follower->node);
}

void hnv_ovsdb_journal_unfollow(struct hnv_ovsdb_journal* journal, struct ovsdb* db) {
    struct follower* follower = find_follower(db);
    if (follower) {
        ovs_assert(follower->journal == journal);
        hnv_ovsdb_journal_discard(journal, db);
        ovs_list_remove(&follower->node);
        free(follower);
    }
}

void hnv_ovsdb_journal_discard(struct hnv_ovsdb_journal* journal, const struct ovsdb* db) {
    struct entry* entry;
    LIST_FOR_EACH_SAFE(entry, node, &journal->entries) {
        if (entry->db == db) {
            ovs_list_remove(&entry->node);
            entry_destroy(entry);
        }
    }
}

bool hnv_ovsdb_journal_is_empty(const struct hnv_ovsdb_journal* journal) {
    return ovs_list_is_empty(&journal->entries);
}

bool hnv_ovsdb_journal_take(struct hnv_ovsdb_journal* journal, struct hnv_ovsdb_event* event) {
    if (ovs_list_is_empty(&journal->entries)) {
        return false;
    }
    struct entry* entry = CONTAINER_OF(ovs_list_pop_front(&journal->entries), struct entry, node);
    event->kind = entry->kind;
    event->db = entry->db;
    event->before = entry->before;
    event->after = entry->after;
    event->foreign = entry->foreign;
    free(entry);
    return true;
}
