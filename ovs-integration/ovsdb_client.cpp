#include "ovs-integration/ovsdb_client.h"

#include <cstdlib>
#include <utility>

#include "ovs-integration/jsonrpc_shim.h"

namespace hnv::ovs {
namespace {

struct Free {
    void operator()(char* text) const { std::free(text); }
};
using CText = std::unique_ptr<char, Free>;

}  // namespace

void initialize_client_program(const std::string& program_name) {
    hnv_jsonrpc_client_init(program_name.c_str());
}

void use_tls_files(const TlsFiles& files) {
    hnv_jsonrpc_set_tls(files.private_key.c_str(), files.certificate.c_str(),
                        files.ca_certificate.c_str());
}

void OvsdbClient::Close::operator()(hnv_jsonrpc* connection) const {
    hnv_jsonrpc_close(connection);
}

OvsdbClient::OvsdbClient(std::string remote, std::unique_ptr<hnv_jsonrpc, Close> connection)
    : remote_(std::move(remote)), connection_(std::move(connection)) {}

Result<OvsdbClient> OvsdbClient::connect(const std::string& remote,
                                         std::chrono::milliseconds timeout) {
    hnv_jsonrpc* connection = nullptr;
    const int error = hnv_jsonrpc_open(remote.c_str(), timeout.count(), &connection);
    if (error != 0) {
        return Error("cannot connect to " + remote + ": " + hnv_jsonrpc_strerror(error));
    }
    return OvsdbClient(remote, std::unique_ptr<hnv_jsonrpc, Close>(connection));
}

Result<std::string> OvsdbClient::call(const std::string& method, const std::string& params,
                                      std::chrono::milliseconds timeout) {
    char* result = nullptr;
    char* peer_error = nullptr;
    const int error = hnv_jsonrpc_call(connection_.get(), method.c_str(), params.c_str(),
                                       timeout.count(), &result, &peer_error);
    const CText result_owner(result);
    const CText error_owner(peer_error);
    if (error != 0) {
        return Error(remote_ + ": " + method + ": " + hnv_jsonrpc_strerror(error));
    }
    if (peer_error != nullptr) {
        return Error(remote_ + ": " + method + ": " + peer_error);
    }
    return std::string(result);
}

}  // namespace hnv::ovs
