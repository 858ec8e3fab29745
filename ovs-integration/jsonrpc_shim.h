// A blocking JSON-RPC client (OVSDB, RFC 7047 section 4; unixctl) over libopenvswitch's streams.
//
// Plain C types only, so that C++ code can use it. Not thread-safe: one connection belongs to one
// thread. A call blocks at most until its timeout; it never retries.
#ifndef HNV_JSONRPC_SHIM_H
#define HNV_JSONRPC_SHIM_H 1

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hnv_jsonrpc;

// Prepares libopenvswitch for use in a short-lived client program: names the program and silences
// the library's own log, since errors come back as values. Call once, before anything else here.
void hnv_jsonrpc_client_init(const char* program_name);

// Files (PEM) for "ssl:" remotes. Call before hnv_jsonrpc_open().
void hnv_jsonrpc_set_tls(const char* private_key, const char* certificate, const char* ca_cert);

// Connects to 'remote' ("unix:PATH", "tcp:HOST:PORT" or "ssl:HOST:PORT"). Returns 0, or a positive
// errno value (ETIMEDOUT after 'timeout_ms').
int hnv_jsonrpc_open(const char* remote, int64_t timeout_ms, struct hnv_jsonrpc** connection);

void hnv_jsonrpc_close(struct hnv_jsonrpc* connection);

// Sends request 'method' with 'params' (JSON text of an array) and waits for its reply; the peer's
// own "echo" requests are answered meanwhile, its notifications are ignored.
// Returns 0 with either '*result' or '*peer_error' set: JSON text, except that a JSON string comes
// as its bare text. The caller frees it with free(). Returns a negative value if the peer closed
// the connection, a positive errno value for other failures of the transport; then both are NULL.
int hnv_jsonrpc_call(struct hnv_jsonrpc* connection, const char* method, const char* params,
                     int64_t timeout_ms, char** result, char** peer_error);

// A static or thread-local text for what the functions above return.
const char* hnv_jsonrpc_strerror(int retval);

#ifdef __cplusplus
}
#endif

#endif
