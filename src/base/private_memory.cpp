// statm and smaps_rollup, see proc(5).
#include "base/private_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace muster {
namespace {

std::string_view readFrom(int fd, std::array<char, 4096>& buffer) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), 0);
    return {buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

/// The number at the start of `text`, behind blanks; what follows it stays.
std::optional<std::uint64_t> takeNumber(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

Result<UniqueFd> openIn(int processTree, const char* name) {
    UniqueFd fd(::openat(processTree, name, O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return errnoError(std::string("open(/proc/") + name + ")");
    }
    return fd;
}

}  // namespace

std::optional<std::uint64_t> anonymousPagesIn(std::string_view statm) {
    const auto size = takeNumber(statm);
    const auto resident = takeNumber(statm);
    const auto shared = takeNumber(statm);
    if (!size || !resident || !shared) {
        return std::nullopt;
    }
    return *resident > *shared ? *resident - *shared : 0;
}

std::optional<std::uint64_t> privateKibIn(std::string_view smapsRollup) {
    std::optional<std::uint64_t> sum;
    while (!smapsRollup.empty()) {
        const std::size_t end = std::min(smapsRollup.find('\n'), smapsRollup.size());
        std::string_view line = smapsRollup.substr(0, end);
        smapsRollup.remove_prefix(std::min(end + 1, smapsRollup.size()));
        for (const std::string_view name :
             {"Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"}) {
            if (!line.starts_with(name)) {
                continue;
            }
            line.remove_prefix(name.size());
            const auto kib = takeNumber(line);
            if (!kib) {
                return std::nullopt;
            }
            sum = sum.value_or(0) + *kib;
            break;
        }
    }
    return sum;
}

Result<PrivateMemory> PrivateMemory::open(int processTree) {
    PrivateMemory memory;
    auto rough = openIn(processTree, "self/statm");
    if (!rough) {
        return tl::make_unexpected(rough.error());
    }
    auto exact = openIn(processTree, "self/smaps_rollup");
    if (!exact) {
        return tl::make_unexpected(exact.error());
    }
    memory.rough_ = std::move(*rough);
    memory.exact_ = std::move(*exact);
    return memory;
}

std::optional<std::uint64_t> PrivateMemory::atMostBytes() const {
    std::array<char, 4096> buffer;
    const auto pages = anonymousPagesIn(readFrom(rough_.get(), buffer));
    static const auto pageSize = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return pages ? std::optional(*pages * pageSize) : std::nullopt;
}

std::optional<std::uint64_t> PrivateMemory::bytes() const {
    std::array<char, 4096> buffer;
    const auto kib = privateKibIn(readFrom(exact_.get(), buffer));
    return kib ? std::optional(*kib * 1024) : std::nullopt;
}

}  // namespace muster
