// A blocking OVSDB client (RFC 7047 section 4.1) for programs that make a few calls and end.
//
// JSON goes in and comes out as text: this folder has no opinion about the caller's JSON library.
// One client belongs to one thread. Every call has a timeout; an error says what failed and, for
// an answer of the server, repeats it. After an error of the transport the client is of no use.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "ovs-integration/result.h"

struct hnv_jsonrpc;

namespace hnv::ovs {

// PEM files for "ssl:" remotes.
struct TlsFiles {
    std::string private_key;
    std::string certificate;
    std::string ca_certificate;
};

// Prepares libopenvswitch in a client program (never in the agent: it silences the library's log,
// because here errors come back as values). Once, before any other use.
void initialize_client_program(const std::string& program_name);

// Keys for the "ssl:" remotes that are connected to afterwards.
void use_tls_files(const TlsFiles& files);

class OvsdbClient {
  public:
    // Connects to "unix:PATH", "tcp:HOST:PORT" or "ssl:HOST:PORT".
    static Result<OvsdbClient> connect(const std::string& remote,
                                       std::chrono::milliseconds timeout);

    // Calls `method` with `params` (JSON text of an array); gives the reply's result as JSON text.
    Result<std::string> call(const std::string& method, const std::string& params,
                             std::chrono::milliseconds timeout);

  private:
    struct Close {
        void operator()(hnv_jsonrpc* connection) const;
    };

    OvsdbClient(std::string remote, std::unique_ptr<hnv_jsonrpc, Close> connection);

    std::string remote_;
    std::unique_ptr<hnv_jsonrpc, Close> connection_;
};

}  // namespace hnv::ovs
