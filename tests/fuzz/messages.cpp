// Decodes arbitrary messages between muster's processes: control messages and parked connections.
//
// Input: a byte that says which, and how many descriptors come with it; then the message; what
// follows the size of a parked connection's facts is the content of its head.
#include <sys/socket.h>

#include <span>

#include "base/clock.h"
#include "base/io.h"
#include "base/shared_memory.h"
#include "fastcgi/server_connection.h"
#include "input.h"
#include "manager/protocol.h"
#include "manager/status_connection.h"
#include "worker/parked_connection.h"

namespace {

using namespace muster;

void fill(ReceivedMessage& message, std::string_view bytes) {
    const auto all = std::as_bytes(std::span(bytes));
    message.bytes.assign(all.begin(), all.end());
}

void control(std::string_view bytes) {
    ReceivedMessage received;
    fill(received, bytes);
    const auto message = manager::parseControl(received);
    fuzz::hold(!message || bytes.size() == sizeof *message, "only whole messages");
    if (!message) {
        return;
    }
    const std::string_view text(message->text);
    fuzz::hold(text.size() < sizeof message->text, "its text ends");
    const auto syslog = manager::syslogIn(*message);
    fuzz::hold(syslog.has_value() == (message->value != 0), "syslog or none");
}

/// Whatever the head is: refused, or gone on with as it came.
void takeUp(const worker::ParkedFacts& facts, const std::string& head) {
    int ends[2];
    fuzz::hold(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
    UniqueFd peer(ends[0]);
    const manager::StatusConnection::Answer answer = [](const fastcgi::Params&,
                                                        const manager::StatusConnection::Asker&) {
        return std::string("answer");
    };
    manager::StatusConnection status(UniqueFd(ends[1]), answer, monotonicNs(),
                                     manager::StatusConnection::Bounds{});
    if (status.resume(facts, head)) {
        fuzz::hold(
            !status.wantsToWrite() && (!status.isMovable() || head.ends_with(status.partialHead())),
            "nothing is said or lost");
    }
    fastcgi::ServerConnection connection({}, {.drainNs = 0});
    fuzz::hold(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
    peer.reset(ends[0]);
    if (connection.resume(UniqueFd(ends[1]), head, {facts.requestId, facts.lateData != 0})) {
        fuzz::hold(connection.readHead() == fastcgi::HeadOutcome::incomplete &&
                       head.ends_with(connection.partialHead()),
                   "an incomplete head stays incomplete", head);
    }
    char byte = 0;
    fuzz::hold(::recv(peer.get(), &byte, 1, MSG_DONTWAIT) < 0, "nothing is said");
}

void parked(std::string_view bytes, unsigned descriptors) {
    const std::string_view facts = bytes.substr(0, sizeof(worker::ParkedFacts));
    const std::string head(bytes.substr(facts.size()));
    ReceivedMessage received;
    fill(received, facts);
    for (unsigned i = 0; i < descriptors; ++i) {
        auto content = createSealedContent("fuzz", head);
        fuzz::hold(content.has_value(), "a memfd");
        received.descriptors.push_back(std::move(*content));
    }
    const auto found = worker::parkedIn(received);
    if (!found) {
        return;
    }
    fuzz::hold(facts.size() == sizeof(worker::ParkedFacts) && found->connection &&
                   (found->facts.headBegun != 0) == static_cast<bool>(found->head) &&
                   found->facts.sinceNs <= monotonicNs(),
               "a connection, and a head if one was begun");
    takeUp(found->facts,
           found->head ? readDescriptor(found->head.get(), 1U << 20).value_or("") : std::string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const unsigned kind = input.byte();
    if (kind % 4 == 0) {
        std::string whole(input.rest());
        whole.resize((kind & 4U) != 0 ? sizeof(manager::ControlMessage) : whole.size());
        control(whole);
    } else {
        parked(input.rest(), kind % 4);
    }
    return 0;
}
