// One word that tells the message from all others, and the descriptor.
#include "manager/memory_grant.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "base/process.h"
#include "base/process_memory.h"

namespace muster::manager {
namespace {

constexpr std::string_view kWord = "memory";

}  // namespace

Result<void> grantMemory(MessageChannel& manager, int processTree) {
    const auto memory = openOwnMemory(processTree);
    if (!memory) {
        return tl::make_unexpected(memory.error());
    }
    const int fd = memory->get();
    return manager.send(std::as_bytes(std::span(kWord)), {&fd, 1});
}

UniqueFd memoryIn(ReceivedMessage& message) {
    if (message.descriptors.size() != 1 || message.bytes.size() != kWord.size() ||
        std::memcmp(message.bytes.data(), kWord.data(), kWord.size()) != 0 ||
        !isProcessFile(message.descriptors.front().get())) {
        return {};
    }
    return std::move(message.descriptors.front());
}

}  // namespace muster::manager
