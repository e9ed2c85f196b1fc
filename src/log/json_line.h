// One JSON object on one line, field by field, onto the end of a string.
//
// For log lines: no tree is built. Text that is plain ASCII is copied; everything else is escaped
// by nlohmann/json, where bytes that are not UTF-8 become U+FFFD. Names are ours and not escaped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::log {

class JsonLine {
  public:
    explicit JsonLine(std::string& line);

    void text(std::string_view name, std::string_view value);
    /// null for a null pointer.
    void textOrNull(std::string_view name, const char* value);
    void number(std::string_view name, std::int64_t value);
    void decimal(std::string_view name, double value, int decimals);
    void flag(std::string_view name, bool value);
    /// A value that is JSON already.
    void raw(std::string_view name, std::string_view json);
    /// RFC 3339 with microseconds, UTC: "2026-11-20T23:02:29.450654Z".
    void time(std::string_view name, std::uint64_t wallNs);
    /// Closes the object; the newline is the caller's.
    void end();

  private:
    void begin(std::string_view name);
    std::string* line_;
    char separator_ = '{';
};

}  // namespace muster::log
