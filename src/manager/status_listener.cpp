// Accepts the connections of pm.status_listen.
#include "manager/status_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/io.h"

namespace muster::manager {

using std::chrono::milliseconds;

namespace {

constexpr int kAcceptTurn = 16;
constexpr milliseconds kRetry{100};  // when the machine has no descriptor or memory to accept with

}  // namespace

StatusListener::StatusListener(Parts parts)
    : parts_(std::move(parts)),
      connections_({.loop = parts_.loop,
                    .maxConnections = kMaxConnections,
                    .bounds = {},
                    .answer = parts_.answer,
                    .onRest = parts_.onRest,
                    .giveBack = nullptr}) {}

void StatusListener::listen(int fd) {
    listenFd_ = fd;
    listenWatch_ = parts_.loop->whenReadable(fd, [this] { acceptSome(); });
}

void StatusListener::stopListening() {
    listenWatch_.cancel();
    retryWatch_.cancel();
}

void StatusListener::acceptSome() {
    for (int i = 0; i < kAcceptTurn; ++i) {
        UniqueFd connection(::accept4(listenFd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (connection) {
            if (parts_.refusals->admits(parts_.rules, connection.get())) {
                connections_.take(std::move(connection));
            }
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listenWatch_.cancel();
            retryWatch_ = parts_.loop->after(kRetry, [this] { listen(listenFd_); });
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        // Whatever else there is concerns one connection that is gone already.
    }
}

void StatusListener::adopt(worker::ParkedConnection parked) {
    if (setNonBlocking(parked.connection.get(), true) &&
        parts_.refusals->admits(parts_.rules, parked.connection.get())) {
        connections_.adopt(std::move(parked));
    }
}

}  // namespace muster::manager
