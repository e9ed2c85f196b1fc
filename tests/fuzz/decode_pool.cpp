// Gives damaged settings of a pool to the decoder, as a manager would read them.
//
// Input: offset (2 bytes), bytes to leave out there (2 bytes), then what is put in their place; all
// applied to the settings of a pool with some values, so that most of it stays well-formed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/configuration.h"

namespace {

std::string wellFormed() {
    muster::config::PoolSettings pool;
    pool.name = "www";
    pool.env = {{"A", "\xff\"\\"}, {"", ""}};
    pool.accessSuppressPaths = {{"", "/ping"}};
    pool.listenAllowedClients = "127.0.0.1";
    return muster::config::encodePool(pool);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace muster::config;
    constexpr std::size_t kHead = 4;
    static const std::string original = wellFormed();
    if (size < kHead) {
        return 0;
    }
    std::string text = original;
    const std::size_t at = (data[0] * std::size_t{256} + data[1]) % (text.size() + 1);
    const std::size_t without = data[2] * std::size_t{256} + data[3];
    text.replace(at, without, reinterpret_cast<const char*>(data) + kHead, size - kHead);
    const auto pool = decodePool(text);
    if (!pool) {
        return 0;
    }
    const std::string once = encodePool(*pool);
    const auto again = decodePool(once);
    if (!again || encodePool(*again) != once) {
        std::abort();
    }
    return 0;
}
