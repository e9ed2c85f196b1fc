// How one kind of value looks in each format of the status page. Every text is escaped: values come
// from clients and scripts.
//
// Pure. An encoder is fed once, in this order: beginPool, fields, and for the full page
// beginWorkers, (the head row,) beginWorker, fields, endWorker, …, endWorkers; then endPool, take.
// Labels are ours and need no escaping.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::scoreboard {

class TextEncoder {
  public:
    void text(std::string_view label, std::string_view value);
    void number(std::string_view label, std::uint64_t value);
    void time(std::string_view label, std::uint64_t wallNs);
    void percent(std::string_view label, double value);
    void beginPool() {}
    void beginWorkers() {}
    void beginWorker() { body_ += "\n************************\n"; }
    void endWorker() {}
    void endWorkers() {}
    void endPool() {}
    std::string take() { return std::move(body_); }

  private:
    void begin(std::string_view label);
    std::string body_;
};

class JsonEncoder {
  public:
    void text(std::string_view label, std::string_view value);
    void number(std::string_view label, std::uint64_t value);
    void time(std::string_view label, std::uint64_t wallNs);
    void percent(std::string_view label, double value);
    void beginPool() { open(); }
    void beginWorkers();
    void beginWorker();
    void endWorker() { body_ += '}'; }
    void endWorkers() { body_ += ']'; }
    void endPool() { body_ += '}'; }
    std::string take() { return std::move(body_); }

  private:
    void open();
    void begin(std::string_view label);
    void encode(std::uint32_t point);
    void unit(std::uint32_t value);
    std::string body_;
    bool first_ = true;
    bool firstWorker_ = true;
};

class XmlEncoder {
  public:
    void text(std::string_view label, std::string_view value);
    void number(std::string_view label, std::uint64_t value);
    void time(std::string_view label, std::uint64_t wallNs);
    void percent(std::string_view label, double value);
    void beginPool() { body_ += "<?xml version=\"1.0\" ?>\n<status>\n"; }
    void beginWorkers() { body_ += "<processes>\n"; }
    void beginWorker();
    void endWorker();
    void endWorkers() { body_ += "</processes>\n"; }
    void endPool() { body_ += "</status>"; }
    std::string take() { return std::move(body_); }

  private:
    void element(std::string_view label, std::string_view content);
    std::string body_;
    bool inWorker_ = false;
};

class HtmlEncoder {
  public:
    void text(std::string_view label, std::string_view value);
    void number(std::string_view label, std::uint64_t value);
    void time(std::string_view label, std::uint64_t wallNs);
    void percent(std::string_view label, double value);
    void beginPool();
    void beginWorkers();
    /// Fields of any worker: only their labels are shown.
    void beginHeadRow();
    void endHeadRow();
    void beginWorker();
    void endWorker() { body_ += "</tr>\n"; }
    void endWorkers() {}
    void endPool();
    std::string take() { return std::move(body_); }

  private:
    enum class Place { pool, headRow, row };
    void cell(std::string_view label, std::string_view content);
    std::string body_;
    Place place_ = Place::pool;
};

/// A text inside quotation marks of OpenMetrics, or its HELP lines.
[[nodiscard]] std::string escapeOpenMetrics(std::string_view value);

}  // namespace muster::scoreboard
