// Connects, writes a line, reads lines.
#include "ctl/control_client.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/io.h"
#include "base/listen_address.h"

namespace muster::ctl {
namespace {

constexpr int kVersion = 1;

std::vector<std::string> socketsIn(const std::string& directory) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        if (entry.path().extension() == ".ctl" && entry.is_socket(error)) {
            found.push_back(entry.path().string());
        }
    }
    return found;
}

}  // namespace

Result<std::string> findSocket() {
    if (const char* path = std::getenv("MUSTER_CONTROL"); path != nullptr && *path != '\0') {
        return std::string(path);
    }
    std::vector<std::string> found;
    for (const char* directory : {"/run/muster", "/run/php", "/run"}) {
        const auto more = socketsIn(directory);
        found.insert(found.end(), more.begin(), more.end());
    }
    if (found.size() == 1) {
        return found.front();
    }
    if (found.empty()) {
        return plainError(
            "no control socket (*.ctl) in /run/muster, /run/php or /run: name one by --socket; it "
            "is "
            "beside muster's pid file, or where control.socket says");
    }
    std::string list;
    for (const std::string& path : found) {
        list += " " + path;
    }
    return plainError("there is more than one control socket, name one by --socket:" + list);
}

Result<ControlClient> ControlClient::connect(const std::string& path) {
    const auto addresses =
        resolveListenAddress(parseListenAddress(std::filesystem::absolute(path).string()));
    if (!addresses) {
        return tl::make_unexpected(addresses.error());
    }
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || ::connect(fd.get(), addresses->front().data(), addresses->front().length()) < 0) {
        return errnoError("cannot connect to " + path);
    }
    return ControlClient(std::move(fd));
}

Result<nlohmann::json> ControlClient::run(nlohmann::json command) {
    using nlohmann::json;
    command["version"] = kVersion;
    const std::string line = command.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    // A refused connection may be closed already: what was said to that is still to be read.
    const bool sent = sendAll(fd_.get(), line);
    for (;;) {
        auto answer = readLine();
        if (!answer) {
            return sent ? tl::make_unexpected(answer.error())
                        : Result<json>(errnoError("cannot send the command"));
        }
        json parsed = json::parse(*answer, nullptr, false);
        if (!parsed.is_object()) {
            return plainError("an answer that is no JSON object: " + *answer);
        }
        if (parsed.value("done", false)) {
            return parsed;
        }
    }
}

Result<std::string> ControlClient::readLine() {
    for (;;) {
        if (const std::size_t end = buffered_.find('\n'); end != std::string::npos) {
            std::string line = buffered_.substr(0, end);
            buffered_.erase(0, end + 1);
            return line;
        }
        char block[16384];
        const ssize_t n = ::recv(fd_.get(), block, sizeof block, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errnoError("the connection to muster broke");
        }
        if (n == 0) {
            return plainError("muster closed the connection before it had answered");
        }
        buffered_.append(block, static_cast<std::size_t>(n));
    }
}

}  // namespace muster::ctl
