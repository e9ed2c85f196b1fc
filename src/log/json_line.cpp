// Appends names, values and what stands between them.
#include "log/json_line.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace muster::log {
namespace {

bool isPlain(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
}

void appendTwoDigits(std::string& line, int value) {
    line += static_cast<char>('0' + value / 10);
    line += static_cast<char>('0' + value % 10);
}

}  // namespace

JsonLine::JsonLine(std::string& line) : line_(&line) {}

void JsonLine::begin(std::string_view name) {
    *line_ += separator_;
    separator_ = ',';
    line_->append(1, '"').append(name).append("\":");
}

void JsonLine::text(std::string_view name, std::string_view value) {
    begin(name);
    if (isPlain(value)) {
        line_->append(1, '"').append(value).append(1, '"');
        return;
    }
    using nlohmann::json;
    *line_ += json(value).dump(-1, ' ', false, json::error_handler_t::replace);
}

void JsonLine::textOrNull(std::string_view name, const char* value) {
    if (value != nullptr) {
        text(name, value);
    } else {
        begin(name);
        *line_ += "null";
    }
}

void JsonLine::number(std::string_view name, std::int64_t value) {
    begin(name);
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    line_->append(digits, end.ptr);
}

void JsonLine::decimal(std::string_view name, double value, int decimals) {
    begin(name);
    char digits[400];  // the longest double without its decimals has 309 digits
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals);
    line_->append(digits, end.ptr);
}

void JsonLine::flag(std::string_view name, bool value) {
    begin(name);
    *line_ += value ? "true" : "false";
}

void JsonLine::raw(std::string_view name, std::string_view json) {
    begin(name);
    *line_ += json;
}

void JsonLine::time(std::string_view name, std::uint64_t wallNs) {
    begin(name);
    const auto seconds = static_cast<time_t>(wallNs / kNsPerSecond);
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    *line_ += '"';
    *line_ += std::to_string(utc.tm_year + 1900);
    for (const auto& [mark, value] :
         {std::pair('-', utc.tm_mon + 1), std::pair('-', utc.tm_mday), std::pair('T', utc.tm_hour),
          std::pair(':', utc.tm_min), std::pair(':', utc.tm_sec)}) {
        *line_ += mark;
        appendTwoDigits(*line_, value);
    }
    *line_ += '.';
    const auto micros = static_cast<int>(wallNs % kNsPerSecond / 1000);
    appendTwoDigits(*line_, micros / 10000);
    appendTwoDigits(*line_, micros / 100 % 100);
    appendTwoDigits(*line_, micros % 100);
    *line_ += "Z\"";
}

void JsonLine::end() {
    *line_ += '}';
}

}  // namespace muster::log
