// A database's contents as a log file of two records: the schema, and one transaction that inserts
// every row.
//
// Rows are written one by one as they are turned into text, so that memory is needed for one of
// them. The second record's header says its length and checksum, which are known last: room is left
// for it, and it is filled in at the end.
#include <errno.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/uuid.h"
#include "ovs-integration/ovsdb_log_file.h"
#include "ovsdb-data.h"
#include "ovsdb/column.h"
#include "ovsdb/log.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
#include "sha1.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

// Of a header whose length is written with leading zeros.
#define HEADER_FORMAT "OVSDB " OVSDB_MAGIC " %020" PRIu64 " " SHA1_FMT "\n"
#define HEADER_SIZE \
    (sizeof "OVSDB " OVSDB_MAGIC " 01234567890123456789 \n" - 1 + SHA1_HEX_DIGEST_LEN)
// How much text is gathered for one write.
#define CHUNK (256 * 1024)
// So much is written between two syncs: a disk that is given all at once keeps the server's own
// syncs waiting.
#define SYNC_EVERY (8 * 1024 * 1024)

struct writer {
    int fd;
    int error;
    struct ds text;    // Of the second record, not yet written.
    uint64_t written;  // Of the second record.
    uint64_t unsynced;
    struct sha1_ctx sum;
};

static void flush(struct writer* writer) {
    size_t done;
    if (!writer->error) {
        writer->error = write_fully(writer->fd, writer->text.string, writer->text.length, &done);
    }
    if (writer->text.length) {
        sha1_update(&writer->sum, writer->text.string, (uint32_t)writer->text.length);
    }
    writer->written += writer->text.length;
    writer->unsynced += writer->text.length;
    ds_clear(&writer->text);
    if (!writer->error && writer->unsynced >= SYNC_EVERY) {
        writer->unsynced = 0;
        writer->error = fdatasync(writer->fd) ? errno : 0;
    }
}

// Table and column names are identifiers: nothing in them needs escaping.
static void put_row(const struct ovsdb_row* row, struct ds* text) {
    ds_put_format(text, "\"" UUID_FMT "\":{", UUID_ARGS(ovsdb_row_get_uuid(row)));
    const char* comma = "";
    const struct shash_node* node;
    SHASH_FOR_EACH(node, &row->table->schema->columns) {
        const struct ovsdb_column* column = node->data;
        const struct ovsdb_datum* field = &row->fields[column->index];
        if (column->index == OVSDB_COL_UUID || !column->persistent ||
            ovsdb_datum_is_default(field, &column->type)) {
            continue;
        }
        ds_put_format(text, "%s\"%s\":", comma, column->name);
        comma = ",";
        struct json* value = ovsdb_datum_to_json_deep(field, &column->type);
        json_to_ds(value, 0, text);
        json_destroy(value);
    }
    ds_put_char(text, '}');
}

static void put_table(const struct ovsdb_table* table, struct writer* writer) {
    if (hmap_is_empty(&table->rows)) {
        return;
    }
    ds_put_format(&writer->text, ",\"%s\":{", table->schema->name);
    const char* comma = "";
    const struct ovsdb_row* row;
    HMAP_FOR_EACH(row, hmap_node, &table->rows) {
        ds_put_cstr(&writer->text, comma);
        comma = ",";
        put_row(row, &writer->text);
        if (writer->text.length >= CHUNK) {
            flush(writer);
            if (writer->error) {
                return;
            }
        }
    }
    ds_put_char(&writer->text, '}');
}

static void put_rows(const struct ovsdb* db, struct writer* writer) {
    ds_put_format(&writer->text, "{\"_comment\":\"compacted\",\"_date\":%lld", time_wall_msec());
    const struct shash_node* node;
    SHASH_FOR_EACH(node, &db->tables) { put_table(node->data, writer); }
    ds_put_cstr(&writer->text, "}\n");
    flush(writer);
}

static void put_schema(const struct ovsdb* db, struct writer* writer) {
    struct ds header = DS_EMPTY_INITIALIZER;
    struct ds body = DS_EMPTY_INITIALIZER;
    struct json* schema = ovsdb_schema_to_json(db->schema);
    ovsdb_log_compose_record(schema, OVSDB_MAGIC, &header, &body);
    json_destroy(schema);
    ds_put_buffer(&header, body.string, body.length);
    size_t done;
    writer->error = write_fully(writer->fd, header.string, header.length, &done);
    ds_destroy(&header);
    ds_destroy(&body);
}

static void put_header(struct writer* writer, off_t at) {
    uint8_t sum[SHA1_DIGEST_SIZE];
    sha1_final(&writer->sum, sum);
    char header[HEADER_SIZE + 1];
    snprintf(header, sizeof header, HEADER_FORMAT, writer->written, SHA1_ARGS(sum));
    if (!writer->error && pwrite(writer->fd, header, HEADER_SIZE, at) != (ssize_t)HEADER_SIZE) {
        writer->error = errno ? errno : ENOSPC;
    }
}

int hnv_snapshot_write(const struct ovsdb* db, int fd) {
    struct writer writer = {.fd = fd, .text = DS_EMPTY_INITIALIZER};
    sha1_init(&writer.sum);
    put_schema(db, &writer);
    const off_t header_at = lseek(fd, 0, SEEK_CUR);
    if (header_at < 0 || lseek(fd, (off_t)HEADER_SIZE, SEEK_CUR) < 0) {
        writer.error = errno;
    }
    put_rows(db, &writer);
    put_header(&writer, header_at);
    ds_destroy(&writer.text);
    return writer.error ? writer.error : fsync(fd) ? errno : 0;
}
