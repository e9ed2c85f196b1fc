// Reads arbitrary bytes as configuration files, and checks what a valid one turns into.
//
// Input: one byte of flags, then the main file and up to three more, separated by 0x1e; the others
// are 1.conf, 2.conf, 3.conf beside it, found with `include = 1.conf`.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "input.h"
#include "private_directory.h"

namespace {

using namespace muster;
using fuzz::broken;

constexpr std::size_t kMoreFiles = 3;
constexpr std::size_t kMostMessages = 2'000;

std::string quotedValue(const std::string& value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\' || c == '$') {
            text += '\\';
        }
        text += c;
    }
    return text + "\"";
}

/// What php-fpm dumps, too, but would not read: the facility's number, and a default depth, which
/// must not be written when there is no slow log.
bool dumpedOnly(const std::string& line) {
    return line.starts_with("\tsyslog.facility = ") || line == "\trequest_slowlog_trace_depth = 20";
}

void addArray(std::string& text, const std::string& name,
              const std::vector<config::KeyValue>& newestFirst) {
    for (auto entry = newestFirst.rbegin(); entry != newestFirst.rend(); ++entry) {
        text += name + "[" + (entry->key.empty() ? "" : quotedValue(entry->key)) +
                "] = " + quotedValue(entry->value) + "\n";
    }
}

/// The dump as a file again: its scalar lines, and the arrays from the settings, because a key may
/// hold "] = " itself.
std::string fileOf(const config::Configuration& configuration,
                   const std::vector<std::string>& dump) {
    std::string text;
    std::size_t next = 0;
    const config::PoolSettings* pool = nullptr;
    for (const std::string& line : dump) {
        const std::size_t equals = line.find(" = ");
        if (line == " ") {
            if (pool != nullptr) {
                addArray(text, "env", pool->env);
                addArray(text, "php_value", pool->phpValues);
                addArray(text, "php_admin_value", pool->phpAdminValues);
                addArray(text, "access.suppress_path", pool->accessSuppressPaths);
            }
            pool = next < configuration.pools.size() ? &configuration.pools[next] : nullptr;
            ++next;
        } else if (line.front() == '[') {
            text += "[" + quotedValue(line.substr(1, line.size() - 2)) + "]\n";
        } else if (equals == std::string::npos) {
            broken("a line of the dump without ' = '", "", line);
        } else if (line.find('[') > equals) {
            std::string value = line.substr(equals + 3);
            if (line == "\trlimit_core = -1") {
                value = "unlimited";
            }
            if (value != "undefined" && value != "unknown value" && !dumpedOnly(line)) {
                text += line.substr(1, equals - 1) + " = " + quotedValue(value) + "\n";
            }
        }
    }
    return text;
}

void checkTransfer(const config::PoolSettings& pool) {
    const std::string once = config::encodePool(pool);
    const auto back = config::decodePool(once);
    if (!back) {
        broken("a pool's settings do not survive the transfer", once, back.error().text());
    }
    const std::string twice = config::encodePool(*back);
    if (once != twice) {
        broken("a pool's settings change in the transfer", once, twice);
    }
}

/// What -tt prints, read again, prints the same.
void checkDump(const config::Configuration& configuration, const fuzz::PrivateDirectory& directory,
               config::ReadOptions options) {
    for (const config::PoolSettings& pool : configuration.pools) {
        if (pool.name.find("$pool") != std::string::npos) {
            return;  // the word in a value would be replaced once more
        }
    }
    const std::vector<std::string> dump = config::dumpConfiguration(configuration);
    const std::string text = fileOf(configuration, dump);
    options.file = directory.write("dump.conf", text);
    options.pidFile.clear();
    const config::ReadOutcome again = config::readConfiguration(options);
    if (!again.valid) {
        std::string problems;
        for (const config::Message& message : again.messages) {
            problems += message.text + "\n";
        }
        broken("what was dumped is refused", text, problems);
    }
    const std::vector<std::string> twice = config::dumpConfiguration(again.configuration);
    for (std::size_t i = 0; i < dump.size() || i < twice.size(); ++i) {
        const std::string first = i < dump.size() ? dump[i] : "(nothing)";
        const std::string second = i < twice.size() ? twice[i] : "(nothing)";
        if (first != second && !dumpedOnly(first)) {
            broken("the dump changes when it is read again:\n" + text, first, second);
        }
    }
}

config::ReadOptions optionsOf(std::uint8_t flags, const std::string& prefix) {
    config::ReadOptions options;
    options.prefix = prefix;
    options.runsAsRoot = (flags & 1U) != 0;
    options.testOnly = (flags & 2U) != 0;
    options.allowRoot = (flags & 4U) != 0;
    if ((flags & 8U) != 0) {
        options.daemonize = (flags & 16U) != 0;
    }
    options.iniValues.emplace("defined", "a \"value\"");
    return options;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
    ::clearenv();
    ::setenv("NAME", "from the environment", 1);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fuzz::PrivateDirectory directory;
    if (size < 1) {
        return 0;
    }
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (!fuzz::staysInside(rest)) {
        return -1;
    }
    config::ReadOptions options = optionsOf(*data, directory.path());
    for (std::size_t i = 0; i <= kMoreFiles; ++i) {
        const std::size_t end = std::min(rest.find('\x1e'), rest.size());
        const std::string name = i == 0 ? "main.conf" : std::to_string(i) + ".conf";
        if (i == 0 || !rest.empty()) {
            const std::string file = directory.write(name, rest.substr(0, end));
            options.file = i == 0 ? file : options.file;
        } else {
            directory.remove(name);
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }

    const config::ReadOutcome outcome = config::readConfiguration(options);
    if (outcome.messages.size() > kMostMessages) {
        broken("too many messages", std::to_string(kMostMessages),
               std::to_string(outcome.messages.size()));
    }
    for (const config::PoolSettings& pool : outcome.configuration.pools) {
        checkTransfer(pool);
    }
    if (outcome.valid) {
        checkDump(outcome.configuration, directory, options);
    }
    return 0;
}
