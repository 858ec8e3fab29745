#include "ovs-integration/jsonrpc_shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "stream-ssl.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

struct hnv_jsonrpc {
    struct jsonrpc* rpc;
};

void hnv_jsonrpc_client_init(const char* program_name) {
    ovs_set_program_name(program_name, "");
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
}

void hnv_jsonrpc_set_tls(const char* private_key, const char* certificate, const char* ca_cert) {
    stream_ssl_set_key_and_cert(private_key, certificate);
    stream_ssl_set_ca_cert_file(ca_cert, false);
}

int hnv_jsonrpc_open(const char* remote, int64_t timeout_ms, struct hnv_jsonrpc** connection) {
    *connection = NULL;
    int error = stream_verify_name(remote);
    if (error) {
        return error;
    }
    struct stream* stream = NULL;
    error = stream_open_block(stream_open(remote, &stream, DSCP_DEFAULT), timeout_ms, &stream);
    if (error) {
        return error;
    }
    struct hnv_jsonrpc* made = xmalloc(sizeof *made);
    made->rpc = jsonrpc_open(stream);
    *connection = made;
    return 0;
}

void hnv_jsonrpc_close(struct hnv_jsonrpc* connection) {
    if (connection) {
        jsonrpc_close(connection->rpc);
        free(connection);
    }
}

// True if 'msg' is the reply to the request with this 'id'. Answers an echo request on the way.
static bool is_reply(struct jsonrpc* rpc, const struct jsonrpc_msg* msg, const struct json* id) {
    if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        jsonrpc_send(rpc, jsonrpc_create_reply(json_clone(msg->params), msg->id));
        return false;
    }
    return (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR) && json_equal(msg->id, id);
}

// Waits for the reply to 'id'. Returns 0 with '*reply' set, else the transport's error.
static int wait_for_reply(struct jsonrpc* rpc, const struct json* id, long long int deadline,
                          struct jsonrpc_msg** reply) {
    for (;;) {
        struct jsonrpc_msg* msg = NULL;
        jsonrpc_run(rpc);
        int error = jsonrpc_recv(rpc, &msg);
        if (!error) {
            if (is_reply(rpc, msg, id)) {
                *reply = msg;
                return 0;
            }
            jsonrpc_msg_destroy(msg);
            continue;
        }
        if (error != EAGAIN) {
            return error;
        }
        if (time_msec() >= deadline) {
            return ETIMEDOUT;
        }
        jsonrpc_wait(rpc);
        jsonrpc_recv_wait(rpc);
        poll_timer_wait_until(deadline);
        poll_block();
    }
}

static char* json_text(const struct json* json) {
    return json->type == JSON_STRING ? xstrdup(json_string(json)) : json_to_string(json, 0);
}

int hnv_jsonrpc_call(struct hnv_jsonrpc* connection, const char* method, const char* params,
                     int64_t timeout_ms, char** result, char** peer_error) {
    *result = NULL;
    *peer_error = NULL;
    struct json* parsed = json_from_string(params);
    if (parsed->type != JSON_ARRAY) {
        json_destroy(parsed);
        return EINVAL;
    }
    long long int deadline = time_msec() + timeout_ms;
    struct json* id = NULL;
    struct jsonrpc_msg* request = jsonrpc_create_request(method, parsed, &id);
    struct jsonrpc_msg* reply = NULL;
    int error = jsonrpc_send(connection->rpc, request);
    if (!error) {
        error = wait_for_reply(connection->rpc, id, deadline, &reply);
    }
    json_destroy(id);
    if (error) {
        return error;
    }
    if (reply->type == JSONRPC_ERROR) {
        *peer_error = json_text(reply->error);
    } else {
        *result = json_text(reply->result);
    }
    jsonrpc_msg_destroy(reply);
    return 0;
}

const char* hnv_jsonrpc_strerror(int retval) { return ovs_retval_to_string(retval); }
