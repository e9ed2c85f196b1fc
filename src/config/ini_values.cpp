// Reads ini files line by line with the configuration's own statements: the dialect is the same.
#include "config/ini_values.h"

#include <cstdlib>
#include <string_view>

#include "base/io.h"
#include "config/statement.h"
#include "config/text.h"

namespace muster::config {
namespace {

constexpr std::size_t kLargestFile = 4U << 20U;

/// [PATH=/dir] and [HOST=name] are for requests under that directory or host only.
bool isForSomeRequests(const std::string& section) {
    const std::string name = lowered(section);
    return name.size() > 4 && (name.starts_with("path") || name.starts_with("host"));
}

class IniReader {
  public:
    void text(std::string_view text) {
        bool counts = true;
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            line(text.substr(0, end), counts);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
    }

    IniValues take() { return std::move(values_); }

  private:
    void line(std::string_view text, bool& counts) {
        const VariableLookup lookup =
            [this](const std::string& name) -> std::optional<std::string> {
            if (const auto found = values_.find(name); found != values_.end()) {
                return found->second;
            }
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
        };
        for (const Statement& statement : parseLine(text, lookup).statements) {
            if (statement.kind == Statement::Kind::section) {
                counts = !isForSomeRequests(statement.key);
            } else if (statement.kind == Statement::Kind::entry && counts) {
                values_[statement.key] = statement.value.text;
            }
        }
    }

    IniValues values_;
};

}  // namespace

IniValues readIniValues(const IniFiles& files,
                        const std::vector<std::pair<std::string, std::string>>& definitions) {
    IniReader reader;
    for (const std::string& file : listIniFiles(files)) {
        if (const auto text = readFile(file, kLargestFile)) {
            reader.text(*text);
        }
    }
    for (const auto& [name, value] : definitions) {
        reader.text(std::string(name).append("=").append(value));
    }
    return reader.take();
}

}  // namespace muster::config
