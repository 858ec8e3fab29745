#include "ovs-integration/unixctl_server.h"

#include <deque>

#include "ovs-integration/ovs_headers.h"

extern "C" {
#include "unixctl.h"
}

namespace hnv::ovs {

namespace {

struct ServerDeleter {
    void operator()(unixctl_server* server) const { unixctl_server_destroy(server); }
};

void reply(unixctl_conn* connection, const Result<std::string>& answer) {
    if (answer) {
        unixctl_command_reply(connection, answer->c_str());
    } else {
        unixctl_command_reply_error(connection, answer.error().message().c_str());
    }
}

void call(unixctl_conn* connection, int, const char*[], void* handler) {
    reply(connection, (*static_cast<UnixctlServer::Handler*>(handler))());
}

// The connection stays until it is answered (lib/unixctl.c reads nothing of it meanwhile).
void call_later(unixctl_conn* connection, int argc, const char* argv[], void* handler) {
    (*static_cast<UnixctlServer::LaterHandler*>(handler))(
        {argv + 1, argv + argc},
        [connection](const Result<std::string>& answer) { reply(connection, answer); });
}

}  // namespace

struct UnixctlServer::Impl {
    std::unique_ptr<unixctl_server, ServerDeleter> server;
    // Their addresses are registered: they must not move.
    std::deque<Handler> handlers;
    std::deque<LaterHandler> later_handlers;
};

UnixctlServer::UnixctlServer() : impl_(std::make_unique<Impl>()) {}
UnixctlServer::~UnixctlServer() = default;

Result<std::unique_ptr<UnixctlServer>> UnixctlServer::listen(const std::string& path) {
    std::unique_ptr<UnixctlServer> server(new UnixctlServer);
    unixctl_server* raw = nullptr;
    const int error = unixctl_server_create(path.empty() ? nullptr : path.c_str(), &raw);
    if (error != 0) {
        return Error("control socket " + path + ": " + ovs_strerror(error));
    }
    server->impl_->server.reset(raw);
    return server;
}

void UnixctlServer::add(const std::string& command, Handler handler) {
    impl_->handlers.push_back(std::move(handler));
    unixctl_command_register(command.c_str(), "", 0, 0, call, &impl_->handlers.back());
}

void UnixctlServer::add_later(const std::string& command, const std::string& usage, int most,
                              LaterHandler handler) {
    impl_->later_handlers.push_back(std::move(handler));
    unixctl_command_register(command.c_str(), usage.c_str(), 0, most, call_later,
                             &impl_->later_handlers.back());
}

void UnixctlServer::run() { unixctl_server_run(impl_->server.get()); }
void UnixctlServer::wait() { unixctl_server_wait(impl_->server.get()); }

}  // namespace hnv::ovs
