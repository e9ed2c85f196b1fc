// Opens listening sockets and keeps track of the files behind them.
#include "base/listen_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/socket_acl.h"

namespace muster {
namespace {

tl::unexpected<Error> bindError(const std::string& configured) {
    return errnoError("unable to bind listening socket for address '" + configured + "'");
}

Result<UniqueFd> newSocket(int family, const Say& say) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return errnoError("failed to create new listening socket: socket()");
    }
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) {
        say(LogLevel::warning, "failed to change socket attribute");
    }
    return fd;
}

/// Nobody will take what connects here: the master that listened has died, and processes of its
/// that finish their last requests hold the socket open.
bool isAbandoned(int connected) {
    ucred listening{};
    socklen_t length = sizeof listening;
    return ::getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &listening, &length) == 0 &&
           listening.pid > 0 && ::kill(listening.pid, 0) < 0 && errno == ESRCH;
}

/// Makes room for a socket file: a stale socket goes, everything else stays and is an error.
Result<void> clearPath(const SocketAddress& address, const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) {
        return {};  // nothing there; bind(2) will name any other trouble
    }
    if (!S_ISSOCK(info.st_mode)) {
        return plainError("unable to bind listening socket for address '" + path +
                          "': a file that is not a socket is in the way, and it is not removed");
    }
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int outcome = ::connect(probe.get(), address.data(), address.length());
    const bool isFull = outcome < 0 && errno == EAGAIN;
    if (isFull || (outcome == 0 && !isAbandoned(probe.get()))) {
        return plainError("Another FPM instance seems to already listen on " + path);
    }
    if (::unlink(path.c_str()) < 0) {
        return bindError(path);
    }
    return {};
}

/// Through a descriptor of the very file, so that nobody who may write to the directory can put
/// another one in its place meanwhile and get that one's owner changed.
Result<void> setPermissions(const std::string& path, const ListenOptions& options, const Say& say) {
    const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) < 0 || !S_ISSOCK(info.st_mode)) {
        return plainError(options.prefix + "the socket '" + path +
                          "' was replaced by another file");
    }
    const std::string link = "/proc/self/fd/" + std::to_string(file.get());
    // A directory's default ACL overrides the umask.
    if ((info.st_mode & 0777U & ~options.mode) != 0 &&
        ::chmod(link.c_str(), options.mode & 0777U) < 0) {
        return errnoError(options.prefix + "failed to chmod() the socket '" + path + "'");
    }
    if (options.hasAcl()) {
        auto added = addToSocketAcl(link, path, options.aclUsers, options.aclGroups);
        if (!added) {
            added.error().what.insert(0, options.prefix);
            return added;
        }
        say(LogLevel::debug, options.prefix + "ACL of the socket '" + path + "' is set");
        return {};
    }
    const uid_t owner = options.owner.value_or(static_cast<uid_t>(-1));
    const gid_t group = options.group.value_or(static_cast<gid_t>(-1));
    if ((options.owner || options.group) &&
        ::fchownat(file.get(), "", owner, group, AT_EMPTY_PATH) < 0) {
        return errnoError(options.prefix + "failed to chown() the socket '" + path + "'");
    }
    return {};
}

Result<void> bindUnix(int fd, const SocketAddress& address, const std::string& path,
                      const ListenOptions& options, const Say& say) {
    // The file is born with its final mode: never wider, not even for an instant.
    const mode_t previous = ::umask(0777 & ~options.mode);
    const int bound = ::bind(fd, address.data(), address.length());
    const int bindErrno = errno;
    ::umask(previous);
    if (bound < 0) {
        errno = bindErrno;
        return bindError(path);
    }
    auto set = setPermissions(path, options, say);
    if (!set) {
        ::unlink(path.c_str());
    }
    return set;
}

/// Of the file at the path, held so that it stays the same; no descriptor: it is another one now.
UniqueFd holdFile(const SocketFile& file) {
    UniqueFd held(::open(file.path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    const bool same = held && ::fstat(held.get(), &info) == 0 && S_ISSOCK(info.st_mode) &&
                      info.st_dev == file.device && info.st_ino == file.inode;
    return same ? std::move(held) : UniqueFd();
}

/// Owner before mode: in between, nobody is let in who is not let in before or after.
Result<void> changePermissions(const SocketFile& file, const ListenOptions& options) {
    const UniqueFd held = holdFile(file);
    if (!held) {
        return plainError(options.prefix + "the socket '" + file.path +
                          "' was replaced by another file");
    }
    const bool aclRules = options.hasAcl();
    const uid_t owner = aclRules ? ::geteuid() : options.owner.value_or(::geteuid());
    const gid_t group = aclRules ? ::getegid() : options.group.value_or(::getegid());
    struct stat info {};
    ::fstat(held.get(), &info);
    if ((info.st_uid != owner || info.st_gid != group) &&
        ::fchownat(held.get(), "", owner, group, AT_EMPTY_PATH) < 0) {
        return errnoError(options.prefix + "failed to chown() the socket '" + file.path + "'");
    }
    auto replaced = replaceSocketAcl("/proc/self/fd/" + std::to_string(held.get()), file.path,
                                     options.mode & 0777U, options.aclUsers, options.aclGroups);
    if (!replaced) {
        replaced.error().what.insert(0, options.prefix);
    }
    return replaced;
}

int socketOption(int fd, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

}  // namespace

Result<UniqueFd> openListener(const SocketAddress& address, const std::string& configured,
                              const ListenOptions& options, const Say& say) {
    const bool isUnix = address.family() == AF_UNIX;
    if (isUnix) {
        if (auto cleared = clearPath(address, configured); !cleared) {
            return tl::make_unexpected(cleared.error());
        }
    }
    auto fd = newSocket(address.family(), say);
    if (!fd) {
        return fd;
    }
    if (isUnix) {
        if (auto bound = bindUnix(fd->get(), address, configured, options, say); !bound) {
            return tl::make_unexpected(bound.error());
        }
    } else if (::bind(fd->get(), address.data(), address.length()) < 0) {
        return bindError(configured);
    }
    if (::listen(fd->get(), options.backlog) < 0) {
        return errnoError("failed to listen to address '" + configured + "'");
    }
    return fd;
}

Result<void> adjustListener(int fd, const SocketFile* file, const ListenOptions& options) {
    if (::listen(fd, options.backlog) < 0) {
        return errnoError(options.prefix + "failed to change the backlog");
    }
    return file != nullptr ? changePermissions(*file, options) : Result<void>();
}

Result<SocketAddress> examineListener(int fd) {
    if (::fcntl(fd, F_GETFD) < 0) {
        return plainError("it is not open");
    }
    const int type = socketOption(fd, SO_TYPE);
    if (type < 0) {
        return plainError("it is not a socket");
    }
    const int domain = socketOption(fd, SO_DOMAIN);
    if (type != SOCK_STREAM || (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6)) {
        return plainError("it is not a TCP or unix stream socket");
    }
    if (socketOption(fd, SO_ACCEPTCONN) != 1) {
        return plainError("it does not listen");
    }
    return boundAddress(fd);
}

bool isUnixSocket(int socket) {
    int family = 0;
    socklen_t length = sizeof family;
    return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family == AF_UNIX;
}

bool concernsOneConnection(int error) {
    switch (error) {
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case EPERM:  // a firewall's answer
            return true;
        default:
            return false;
    }
}

std::optional<SocketFile> identifySocketFile(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0 || !S_ISSOCK(info.st_mode)) {
        return std::nullopt;
    }
    return SocketFile{path, info.st_dev, info.st_ino};
}

void removeSocketFile(const SocketFile& file) {
    const auto now = identifySocketFile(file.path);
    if (now && now->device == file.device && now->inode == file.inode) {
        ::unlink(file.path.c_str());
    }
}

void endListener(int fd) {
    ::shutdown(fd, SHUT_RDWR);
}

}  // namespace muster
