// Reads arbitrary bytes as a php.ini and as the value of -d, for fpm.config and ${NAME}.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/ini_values.h"
#include "private_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const muster::fuzz::PrivateDirectory directory;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const muster::IniFiles files{directory.write("p.ini", text), ""};
    const std::size_t half = size / 2;
    const auto values = muster::config::readIniValues(
        files, {{std::string(text.substr(0, half)), std::string(text.substr(half))}});
    return values.size() <= size + 1 ? 0 : (std::abort(), 0);
}
