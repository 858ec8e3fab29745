#include "ovs-integration/unixctl_client.h"

#include "ovs-integration/ovsdb_client.h"

namespace hnv::ovs {
namespace {

// `text` as a JSON string.
std::string quoted(const std::string& text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 0xf];
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string json_array(std::span<const std::string> texts) {
    std::string out = "[";
    for (const std::string& text : texts) {
        if (out.size() > 1) {
            out += ',';
        }
        out += quoted(text);
    }
    return out + ']';
}

}  // namespace

Result<std::string> unixctl_call(const std::string& socket_path, const std::string& command,
                                 std::span<const std::string> arguments,
                                 std::chrono::milliseconds timeout) {
    auto client = OvsdbClient::connect("unix:" + socket_path, timeout);
    if (!client) {
        return client.error();
    }
    return client->call(command, json_array(arguments), timeout);
}

}  // namespace hnv::ovs
