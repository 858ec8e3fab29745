// The daemon's control socket (lib/unixctl.h): ovs-appctl -t SOCKET COMMAND.
//
// Thread: the one whose poll loop calls run() and wait(); handlers run in it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ovs-integration/result.h"

namespace hnv::ovs {

class UnixctlServer {
  public:
    // Answers with the text, or with the error's message as a failure.
    using Handler = std::function<Result<std::string>()>;

    // Gives the answer to one command, once, then or later.
    using Reply = std::function<void(const Result<std::string>&)>;
    using LaterHandler = std::function<void(std::vector<std::string> arguments, Reply reply)>;

    // `path`: of the socket, "" for Open vSwitch's default in the run directory.
    [[nodiscard]] static Result<std::unique_ptr<UnixctlServer>> listen(const std::string& path);
    ~UnixctlServer();
    UnixctlServer(const UnixctlServer&) = delete;
    UnixctlServer& operator=(const UnixctlServer&) = delete;

    // A command without arguments. Commands are never unregistered: the server outlives its use.
    void add(const std::string& command, Handler handler);
    // A command with up to `most` arguments, whose answer may take some turns of the loop. A caller
    // who has gone is answered all the same; a reply that is never given keeps the connection.
    void add_later(const std::string& command, const std::string& usage, int most,
                   LaterHandler handler);

    void run();
    void wait();

  private:
    UnixctlServer();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hnv::ovs
