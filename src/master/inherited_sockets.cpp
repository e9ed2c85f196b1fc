// Reads the environment's promises and checks each.
#include "master/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/io.h"

namespace muster::master {
namespace {

constexpr int kMaxVariables = 256;
constexpr std::size_t kMaxKey = 255;
constexpr int kMaxRefusals = 256;  // that are named: a variable has room for many thousands

/// Nobody else may have it, and workers block in accept: whatever it was, it is now as our own.
void makeOurs(int fd) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    [[maybe_unused]] const auto blocking = setNonBlocking(fd, false);
}

bool isUnixKey(const std::string& key) {
    return parseListenAddress(key).kind == ListenAddress::Kind::unixPath;
}

/// The file of a unix listener, if the path that was named leads to that very socket.
std::optional<SocketFile> fileBehind(const std::string& key, const SocketAddress& bound) {
    const auto named = identifySocketFile(key);
    const auto actual = identifySocketFile(bound.path());
    const bool same =
        named && actual && named->device == actual->device && named->inode == actual->inode;
    return same ? named : std::nullopt;
}

}  // namespace

std::vector<SocketEntry> parseSocketEntries(std::string_view value) {
    std::vector<SocketEntry> entries;
    while (!value.empty()) {
        const std::size_t comma = value.find(',');
        const std::string_view item = value.substr(0, comma);
        value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
        const std::size_t equals = item.find('=');
        if (equals != std::string_view::npos) {
            entries.push_back({std::string(item.substr(0, std::min(equals, kMaxKey))),
                               std::string(item.substr(equals + 1))});
        }
    }
    return entries;
}

std::optional<int> parseDescriptor(const std::string& number) {
    int fd = -1;
    const char* end = number.data() + number.size();
    const auto [stopped, failure] = std::from_chars(number.data(), end, fd);
    if (failure != std::errc() || stopped != end || fd < 3) {  // 0 to 2 are stdin, stdout, stderr
        return std::nullopt;
    }
    return fd;
}

void InheritedSockets::note(LogLevel level, std::string text) {
    notes_.emplace_back(level, std::move(text));
}

bool InheritedSockets::isTaken(int fd) const {
    return std::any_of(sockets_.begin(), sockets_.end(),
                       [fd](const Socket& socket) { return socket.fd.get() == fd; });
}

void InheritedSockets::addEntry(const SocketEntry& entry) {
    const auto refuse = [&](const std::string& why) {
        if (++refusals_ <= kMaxRefusals) {
            note(LogLevel::warning,
                 fmt::format("the inherited socket fd={}, \"{}\" is not used: {}", entry.number,
                             entry.key, why));
        } else if (refusals_ == kMaxRefusals + 1) {
            note(LogLevel::warning, "more entries of FPM_SOCKETS are not used");
        }
    };
    const auto fd = parseDescriptor(entry.number);
    if (!fd) {
        return refuse("that is no descriptor number");
    }
    const auto bound = examineListener(*fd);
    if (!bound) {
        return refuse(bound.error().text());
    }
    if (isUnixKey(entry.key) != (bound->family() == AF_UNIX)) {
        return refuse("it listens on \"" + bound->key() + "\"");
    }
    if (isTaken(*fd)) {
        return refuse("the descriptor was named before");
    }
    UniqueFd owned(*fd);
    makeOurs(*fd);
    if (std::any_of(sockets_.begin(), sockets_.end(),
                    [&](const Socket& socket) { return socket.key == entry.key; })) {
        return refuse("the address was named before");
    }
    note(LogLevel::notice, fmt::format("using inherited socket fd={}, \"{}\"", *fd, entry.key));
    if (!isUnixKey(entry.key) && bound->key() != entry.key) {
        note(LogLevel::warning, fmt::format("the inherited socket fd={}, \"{}\" listens on \"{}\"",
                                            *fd, entry.key, bound->key()));
    }
    sockets_.push_back({entry.key, std::move(owned), true, fileBehind(entry.key, *bound)});
}

void InheritedSockets::addFromSystemd() {
    const int count = ::sd_listen_fds(1);  // sets CLOEXEC and removes its variables
    if (count < 0) {
        note(LogLevel::warning, "the sockets of LISTEN_FDS are not used: " + errnoText(-count));
        return;
    }
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        if (isTaken(fd)) {
            note(LogLevel::warning,
                 fmt::format("systemd's socket fd={} is in FPM_SOCKETS, too", fd));
            continue;
        }
        UniqueFd owned(fd);
        const auto bound = examineListener(fd);
        if (!bound) {
            note(LogLevel::warning,
                 fmt::format("systemd's descriptor fd={} is closed: {}", fd, bound.error().text()));
            continue;
        }
        makeOurs(fd);
        note(LogLevel::notice,
             fmt::format("using inherited socket fd={}, \"{}\"", fd, bound->key()));
        sockets_.push_back({bound->key(), std::move(owned), false, std::nullopt});
    }
}

InheritedSockets InheritedSockets::fromEnvironment() {
    InheritedSockets sockets;
    for (int i = 0; i < kMaxVariables; ++i) {
        const std::string name = i == 0 ? "FPM_SOCKETS" : fmt::format("FPM_SOCKETS_{}", i);
        const char* value = ::getenv(name.c_str());
        if (value == nullptr) {
            break;
        }
        for (const SocketEntry& entry : parseSocketEntries(value)) {
            sockets.addEntry(entry);
        }
        // No process of ours has these numbers, so none may believe it has.
        ::unsetenv(name.c_str());
    }
    sockets.addFromSystemd();
    return sockets;
}

void InheritedSockets::announce(const Say& say) {
    for (const auto& [level, text] : notes_) {
        say(level, text);
    }
    notes_.clear();
}

std::optional<InheritedSockets::Socket> InheritedSockets::claim(const std::string& key) {
    const auto found = std::find_if(sockets_.begin(), sockets_.end(),
                                    [&](const Socket& socket) { return socket.key == key; });
    if (found == sockets_.end()) {
        return std::nullopt;
    }
    Socket socket = std::move(*found);
    sockets_.erase(found);
    return socket;
}

void InheritedSockets::dropRest(const Say& say) {
    for (const Socket& socket : sockets_) {
        const std::string text = fmt::format(
            "inherited socket fd={}, \"{}\" is closed: no pool "
            "listens there",
            socket.fd.get(), socket.key);
        // php-fpm's own sockets of pools that were removed; systemd's were meant to be used.
        say(socket.ours ? LogLevel::debug : LogLevel::warning, text);
        if (socket.file) {
            removeSocketFile(*socket.file);
        }
    }
    sockets_.clear();
}

}  // namespace muster::master
