// Accepts, reads lines and writes lines.
#include "master/control_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/io.h"
#include "base/listen_address.h"

namespace muster::master {
namespace {

constexpr std::size_t kMaxClients = 32;
constexpr std::size_t kLongestLine = std::size_t{64} << 10;
/// A client that takes none of its answers is let go of.
constexpr std::size_t kMostPending = std::size_t{64} << 20;
constexpr std::chrono::milliseconds kRetry{100};

}  // namespace

ControlSocket::ControlSocket(EventLoop& loop, log::ErrorLog& log, OnLine onLine)
    : loop_(&loop), log_(&log), onLine_(std::move(onLine)) {}

ControlSocket::~ControlSocket() {
    removeFile();
}

void ControlSocket::removeFile() {
    if (file_) {
        removeSocketFile(*file_);
        file_.reset();
    }
}

Result<void> ControlSocket::listen(const std::string& path, std::set<uid_t> users) {
    ListenOptions options;
    options.mode = users.empty() ? 0600 : 0666;
    if (path == path_) {
        users_ = std::move(users);
        return listener_ ? adjustListener(listener_.get(), file_ ? &*file_ : nullptr, options)
                         : Result<void>();
    }
    UniqueFd listener;
    if (!path.empty()) {
        const auto addresses = resolveListenAddress(parseListenAddress(path));
        if (!addresses) {
            return tl::make_unexpected(addresses.error());
        }
        auto opened = openListener(
            addresses->front(), path, options,
            [this](LogLevel level, const std::string& text) { log_->write(level, text); });
        if (!opened) {
            return tl::make_unexpected(opened.error());
        }
        if (auto set = setNonBlocking(opened->get(), true); !set) {
            return set;
        }
        listener = std::move(*opened);
    }
    listenWatch_.cancel();
    retryWatch_.cancel();
    removeFile();
    listener_ = std::move(listener);
    path_ = path;
    users_ = std::move(users);
    if (listener_) {
        file_ = identifySocketFile(path_);
        listenWatch_ = loop_->whenReadable(listener_.get(), [this] { acceptSome(); });
    }
    return {};
}

void ControlSocket::acceptSome() {
    while (clients_.size() < kMaxClients) {
        UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                break;
            }
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            return;
        }
        const Connection id = next_++;
        Client& client = clients_[id];
        client.fd = std::move(fd);
        if (mayConnect(client.fd.get())) {
            watch(id, client);
        } else {
            refuse(id, "you are not among those who may control this service");
        }
    }
    // Those who wait stay in the kernel's queue until somebody has left.
    listenWatch_.cancel();
    retryWatch_ = loop_->after(kRetry, [this] {
        listenWatch_ = loop_->whenReadable(listener_.get(), [this] { acceptSome(); });
    });
}

bool ControlSocket::mayConnect(int fd) const {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return false;
    }
    if (peer.uid == 0 || peer.uid == ::geteuid() || users_.contains(peer.uid)) {
        return true;
    }
    log_->warning(
        fmt::format("control socket: process {} of uid {} was refused", peer.pid, peer.uid));
    return false;
}

void ControlSocket::watch(Connection id, Client& client) {
    client.readWatch = loop_->whenReadable(client.fd.get(), [this, id] { receive(id); });
}

void ControlSocket::receive(Connection id) {
    Client& client = clients_.at(id);
    char block[4096];
    const ssize_t n = ::recv(client.fd.get(), block, sizeof block, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
    }
    if (n <= 0) {
        clients_.erase(id);
        return;
    }
    client.in.append(block, static_cast<std::size_t>(n));
    takeLine(id);
}

// One at a time: what else there is waits until finish().
void ControlSocket::takeLine(Connection id) {
    Client& client = clients_.at(id);
    const std::size_t end = client.in.find('\n');
    if (end == std::string::npos) {
        if (client.in.size() > kLongestLine) {
            refuse(id, fmt::format("a command has at most {} bytes", kLongestLine));
        }
        return;
    }
    const std::string line = client.in.substr(0, end);
    client.in.erase(0, end + 1);
    client.busy = true;
    client.readWatch.cancel();
    onLine_(id, line);
}

void ControlSocket::finish(Connection id) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second.ending) {
        return;
    }
    found->second.busy = false;
    watch(id, found->second);
    if (found->second.in.find('\n') != std::string::npos) {
        // Not from here: the command that ends now may be on the stack.
        found->second.readWatch = loop_->after(std::chrono::milliseconds(0), [this, id] {
            watch(id, clients_.at(id));
            takeLine(id);
        });
    }
}

void ControlSocket::send(Connection id, std::string_view line) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) {
        return;
    }
    if (found->second.out.size() + line.size() > kMostPending) {
        log_->warning("control socket: a client that takes no answers was let go of");
        clients_.erase(found);
        return;
    }
    found->second.out.append(line).push_back('\n');
    flush(id);
}

void ControlSocket::flush(Connection id) {
    Client& client = clients_.at(id);
    while (!client.out.empty()) {
        const ssize_t n = ::send(client.fd.get(), client.out.data(), client.out.size(),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!client.writeWatch) {
                client.writeWatch = loop_->whenWritable(client.fd.get(), [this, id] { flush(id); });
            }
            return;
        }
        if (n < 0) {
            clients_.erase(id);
            return;
        }
        client.out.erase(0, static_cast<std::size_t>(n));
    }
    client.writeWatch.cancel();
    if (client.ending) {
        clients_.erase(id);
    }
}

HandOver::Control ControlSocket::handOver() const {
    HandOver::Control control{listener_.get(), path_, file_, {}};
    for (const auto& [id, client] : clients_) {
        control.clients.push_back(
            {client.fd.get(), id, client.in, client.out, client.busy, client.ending});
    }
    return control;
}

void ControlSocket::adopt(HandOver::Control control, std::set<uid_t> users) {
    listener_.reset(control.fd);
    path_ = std::move(control.path);
    file_ = std::move(control.file);
    users_ = std::move(users);
    if (listener_) {
        listenWatch_ = loop_->whenReadable(listener_.get(), [this] { acceptSome(); });
    }
    for (HandOver::Client& from : control.clients) {
        Client& client = clients_[from.id];
        client.fd.reset(from.fd);
        client.in = std::move(from.in);
        client.out = std::move(from.out);
        client.busy = from.busy;
        client.ending = from.ending;
        next_ = std::max(next_, from.id + 1);
        if (!client.busy && !client.ending) {
            watch(from.id, client);
        }
        if (!client.out.empty()) {
            const Connection id = from.id;
            client.writeWatch = loop_->whenWritable(client.fd.get(), [this, id] { flush(id); });
        }
    }
}

std::vector<ControlSocket::Connection> ControlSocket::busy() const {
    std::vector<Connection> all;
    for (const auto& [id, client] : clients_) {
        if (client.busy && !client.ending) {
            all.push_back(id);
        }
    }
    return all;
}

void ControlSocket::refuse(Connection id, std::string_view why) {
    Client& client = clients_.at(id);
    client.ending = true;
    client.readWatch.cancel();
    send(id, fmt::format(R"({{"done":true,"ok":false,"error":"{}"}})", why));
}

}  // namespace muster::master
