// Settings as JSON and back, through the table: what the master hands to a manager, and to the
// program that replaces it.
//
// Settings are bytes, JSON is Unicode: each byte travels as the code point of its number, so every
// value comes back exactly.
#include <limits>
#include <nlohmann/json.hpp>

#include "config/configuration.h"
#include "config/convert.h"

namespace muster::config {
namespace {

using nlohmann::json;

std::string widened(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            text += c;
        } else {
            text += static_cast<char>(0xc0U | (byte >> 6U));
            text += static_cast<char>(0x80U | (byte & 0x3fU));
        }
    }
    return text;
}

/// Nothing when the text holds a code point above 255.
std::optional<std::string> narrowed(const std::string& text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x80) {
            bytes += text[i];
            continue;
        }
        if ((byte != 0xc2 && byte != 0xc3) || i + 1 >= text.size()) {
            return std::nullopt;
        }
        const auto next = static_cast<unsigned char>(text[++i]);
        bytes += static_cast<char>(((byte & 0x03U) << 6U) | (next & 0x3fU));
    }
    return bytes;
}

json encodeValue(const std::string& value) {
    return widened(value);
}
json encodeValue(int value) {
    return value;
}
json encodeValue(std::int64_t value) {
    return value;
}
json encodeValue(bool value) {
    return value;
}
json encodeValue(ManagerLife value) {
    return value == ManagerLife::lazy;
}

json encodeValue(ProcessManager value) {
    return processManagerName(value);
}
json encodeValue(LogLevel value) {
    return static_cast<int>(value);
}
json encodeValue(LogFormat value) {
    return static_cast<int>(value);
}
json encodeValue(StopManner value) {
    return static_cast<int>(value);
}
json encodeValue(const std::vector<KeyValue>& value) {
    json list = json::array();
    for (const KeyValue& entry : value) {
        list.push_back({widened(entry.key), widened(entry.value)});
    }
    return list;
}

template <typename Value>
json encodeValue(const std::optional<Value>& value) {
    return value ? json(encodeValue(*value)) : json();
}

bool decodeValue(const json& from, std::string& to) {
    if (!from.is_string()) {
        return false;
    }
    auto bytes = narrowed(from.get_ref<const std::string&>());
    if (bytes) {
        to = std::move(*bytes);
    }
    return bytes.has_value();
}
bool decodeValue(const json& from, int& to) {
    if (!from.is_number_integer() ||
        (from.is_number_unsigned() &&
         from.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<int>::max()})) {
        return false;
    }
    const auto value = from.get<std::int64_t>();
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
        return false;
    }
    to = static_cast<int>(value);
    return true;
}
bool decodeValue(const json& from, std::int64_t& to) {
    if (!from.is_number_integer() ||
        (from.is_number_unsigned() &&
         from.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})) {
        return false;
    }
    to = from.get<std::int64_t>();
    return true;
}
bool decodeValue(const json& from, bool& to) {
    if (!from.is_boolean()) {
        return false;
    }
    to = from.get<bool>();
    return true;
}
bool decodeValue(const json& from, ManagerLife& to) {
    to = from == true ? ManagerLife::lazy : ManagerLife::eager;
    return from.is_boolean();
}

bool decodeValue(const json& from, ProcessManager& to) {
    for (const auto pm : {ProcessManager::unset, ProcessManager::fixed, ProcessManager::dynamic,
                          ProcessManager::ondemand}) {
        if (from == processManagerName(pm)) {
            to = pm;
            return true;
        }
    }
    return false;
}
/// One of the numbers from `first` to `last`.
template <typename Enum>
bool decodeEnum(const json& from, Enum& to, Enum first, Enum last) {
    int number = 0;
    if (!decodeValue(from, number) || number < static_cast<int>(first) ||
        number > static_cast<int>(last)) {
        return false;
    }
    to = static_cast<Enum>(number);
    return true;
}
bool decodeValue(const json& from, LogLevel& to) {
    return decodeEnum(from, to, LogLevel::debug, LogLevel::alert);
}
bool decodeValue(const json& from, LogFormat& to) {
    return decodeEnum(from, to, LogFormat::text, LogFormat::json);
}
bool decodeValue(const json& from, StopManner& to) {
    return decodeEnum(from, to, StopManner::fast, StopManner::graceful);
}
template <typename Value>
bool decodeValue(const json& from, std::optional<Value>& to) {
    to.reset();
    if (from.is_null()) {
        return true;
    }
    return decodeValue(from, to.emplace());
}
bool decodeValue(const json& from, std::vector<KeyValue>& to) {
    if (!from.is_array()) {
        return false;
    }
    to.clear();
    for (const json& pair : from) {
        KeyValue entry;
        if (!pair.is_array() || pair.size() != 2 || !decodeValue(pair[0], entry.key) ||
            !decodeValue(pair[1], entry.value)) {
            return false;
        }
        to.push_back(std::move(entry));
    }
    return true;
}

// What a pool carries besides its directives.
constexpr const char* kName = "pool name";
constexpr const char* kFile = "section file";
constexpr const char* kLine = "section line";

/// Calls `visit(key, member)` for everything that travels; a flag's row shares its member with the
/// row of the values.
template <typename Ref, typename Pool, typename Visitor>
void forEachMember(Pool& pool, Visitor visit) {
    visit(kName, pool.name);
    visit(kFile, pool.origin.file);
    visit(kLine, pool.origin.line);
    Ref settings{};
    settings.pool = &pool;
    for (const Directive& directive : directives()) {
        if (directive.type != Type::flagArray) {
            visitPoolTarget(directive, settings,
                            [&](auto& member) { visit(std::string(directive.name), member); });
        }
    }
}

template <typename Ref, typename Global, typename Visitor>
void forEachGlobal(Global& global, Visitor visit) {
    Ref settings{};
    settings.global = &global;
    for (const Directive& directive : directives()) {
        visitGlobalTarget(directive, settings,
                          [&](auto& member) { visit(std::string(directive.name), member); });
    }
}

/// Takes the members it is asked for out of an object, and remembers the last that was not right.
class Taker {
  public:
    Taker(const std::string& text, std::string what, Writer writer)
        : object_(json::parse(text, nullptr, false)), what_(std::move(what)), writer_(writer) {
        if (!object_.is_object()) {
            problem_ = "not a JSON object";
            object_ = json::object();
        }
    }

    template <typename Value>
    void operator()(const std::string& key, Value& value) {
        const auto found = object_.find(key);
        if (found == object_.end()) {
            if (writer_ == Writer::sameProgram && problem_.empty()) {
                problem_ = "'" + key + "' is missing";
            }
        } else if (!decodeValue(*found, value)) {
            problem_ = "'" + key + "' has a value of the wrong kind";
        } else {
            object_.erase(found);
        }
    }

    [[nodiscard]] Result<void> outcome() const {
        if (!problem_.empty()) {
            return plainError(what_ + ": " + problem_);
        }
        if (writer_ == Writer::sameProgram && !object_.empty()) {
            return plainError(what_ + ": '" + object_.begin().key() + "' is unknown");
        }
        return {};
    }

  private:
    json object_;
    std::string what_;
    Writer writer_;
    std::string problem_;
};

}  // namespace

std::string encodePool(const PoolSettings& pool) {
    json object = json::object();
    forEachMember<ConstSettingsRef>(pool, [&](const std::string& key, const auto& member) {
        object[key] = encodeValue(member);
    });
    return object.dump();
}

Result<PoolSettings> decodePool(const std::string& text, Writer writer) {
    Taker take(text, "pool settings", writer);
    PoolSettings pool;
    forEachMember<SettingsRef>(pool,
                               [&](const std::string& key, auto& member) { take(key, member); });
    if (auto outcome = take.outcome(); !outcome) {
        return tl::make_unexpected(outcome.error());
    }
    return pool;
}

std::string encodeGlobal(const GlobalSettings& global) {
    json object = json::object();
    forEachGlobal<ConstSettingsRef>(global, [&](const std::string& key, const auto& member) {
        object[key] = encodeValue(member);
    });
    return object.dump();
}

Result<GlobalSettings> decodeGlobal(const std::string& text, Writer writer) {
    Taker take(text, "global settings", writer);
    GlobalSettings global;
    forEachGlobal<SettingsRef>(global,
                               [&](const std::string& key, auto& member) { take(key, member); });
    if (auto outcome = take.outcome(); !outcome) {
        return tl::make_unexpected(outcome.error());
    }
    return global;
}

}  // namespace muster::config
