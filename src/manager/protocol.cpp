// Control messages to bytes and back.
#include "manager/protocol.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace muster::manager {

static_assert(std::is_trivially_copyable_v<ControlMessage>);

void ControlMessage::setText(std::string_view words) {
    const std::size_t length = std::min(words.size(), sizeof text - 1);
    std::memcpy(text, words.data(), length);
    text[length] = '\0';
}

ControlMessage logsMessage(const std::optional<log::SyslogIdentity>& syslog) {
    ControlMessage message{.type = MessageType::logs};
    if (syslog) {
        message.value = 1 + static_cast<std::uint32_t>(syslog->facility);
        message.setText(syslog->ident);
    }
    return message;
}

std::optional<log::SyslogIdentity> syslogIn(const ControlMessage& logs) {
    if (logs.value == 0) {
        return std::nullopt;
    }
    return log::SyslogIdentity{logs.text, static_cast<int>(logs.value - 1)};
}

Result<void> sendControl(MessageChannel& channel, const ControlMessage& message,
                         std::span<const int> descriptors) {
    return channel.send(std::as_bytes(std::span(&message, 1)), descriptors);
}

std::optional<ControlMessage> parseControl(const ReceivedMessage& received) {
    if (received.bytes.size() != sizeof(ControlMessage)) {
        return std::nullopt;
    }
    ControlMessage message;
    std::memcpy(&message, received.bytes.data(), sizeof message);
    message.text[sizeof message.text - 1] = '\0';
    switch (message.type) {
        case MessageType::loaded:
        case MessageType::ready:
        case MessageType::failed:
        case MessageType::crashed:
        case MessageType::wantRoom:
        case MessageType::freeRoom:
        case MessageType::traced:
        case MessageType::quiet:
        case MessageType::lost:
        case MessageType::start:
        case MessageType::drain:
        case MessageType::logs:
        case MessageType::addTotals:
        case MessageType::heir:
        case MessageType::adopt:
        case MessageType::room:
        case MessageType::trace:
        case MessageType::endNow:
            return message;
    }
    return std::nullopt;
}

}  // namespace muster::manager
