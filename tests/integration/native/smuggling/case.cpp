// Makes a case: rounds that follow the protocol, perhaps one that does not, and honest requests.
#include "case.h"

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <string_view>

#include "support/streams/reference.h"

namespace muster::smuggling {
namespace {

using fastcgi::ClientParams;
using fastcgi::RecordType;
using fastcgi::streams::begin;
using fastcgi::streams::record;
using fastcgi::streams::Reference;

constexpr std::uint16_t kIds[] = {0, 1, 2, 255, 256, 65535};
constexpr std::uint16_t kForeignId = 40000;
constexpr int kFilter = 3;
// Scripts that are slow or cost a worker its life, by the case's number.
constexpr std::uint64_t kTimeEvery = 25000;
constexpr std::uint64_t kMemoryEvery = 2000;

struct Request {
    std::uint16_t id = 1;
    std::string action = "all";
    std::string name = "/smuggle.php";
    std::string method = "POST";
    std::string type = "application/octet-stream";
    std::string length;  ///< CONTENT_LENGTH; empty: not sent
    ClientParams more;
    bool keepAlive = true;
    int role = 1;
};

class Maker {
  public:
    Maker(const Site& site, std::uint64_t seed, std::uint64_t number)
        : site_(site), random_(seed * 1'000'003 + number) {
        case_.number = number;
        case_.scripts = site.directory;
    }

    Case make() {
        for (unsigned rounds = 1 + below(3); rounds > 0; --rounds) {
            legalRound();
        }
        const bool illegal = below(2) == 0;
        if (illegal) {
            illegalRound();
            add(forged(pickId()));
        }
        honest(below(3) != 0);
        cut();
        return std::move(case_);
    }

  private:
    unsigned below(std::size_t n) { return n == 0 ? 0 : static_cast<unsigned>(random_() % n); }
    std::uint16_t pickId() { return kIds[below(std::size(kIds))]; }
    void add(std::string_view bytes) { case_.stream += bytes; }
    void kind(std::string_view name) { (case_.kinds += case_.kinds.empty() ? "" : "+") += name; }
    /// A request that is whole when this is called is perhaps answered before more is sent.
    void perhapsWait() {
        if (below(2) == 0) {
            case_.waits.push_back(case_.stream.size());
        }
    }

    std::string nonce() { return std::to_string(case_.number) + "." + std::to_string(++nonces_); }

    // ---- pieces of requests ----

    ClientParams variables(const Request& request) {
        ClientParams all{{"SCRIPT_FILENAME", site_.directory + request.name},
                         {"SCRIPT_NAME", request.name},
                         {"REQUEST_METHOD", request.method},
                         {"QUERY_STRING", "do=" + request.action + "&n=" + nonce()}};
        if (!request.length.empty()) {
            all.emplace_back("CONTENT_LENGTH", request.length);
            all.emplace_back("CONTENT_TYPE", request.type);
        }
        all.insert(all.end(), request.more.begin(), request.more.end());
        return all;
    }

    /// A record whose padding is a forged request, if that fits.
    std::string padded(RecordType type, std::uint16_t id, std::string_view content) {
        std::string padding;
        if (below(6) == 0) {
            padding = forged(id);
        } else if (below(2) == 0) {
            padding.assign(below(9), '\x01');
        }
        if (padding.size() > 255) {
            padding.resize(255);
        }
        std::string bytes = record(type, id, content, static_cast<std::uint8_t>(padding.size()));
        bytes.replace(bytes.size() - padding.size(), padding.size(), padding);
        return bytes;
    }

    /// `content` in one record or several, without an end.
    std::string pieces(RecordType type, std::uint16_t id, std::string_view content) {
        std::string bytes;
        while (!content.empty()) {
            const std::size_t most = std::min<std::size_t>(content.size(), 65535);
            const std::size_t length = below(3) == 0 ? 1 + below(most) : most;
            bytes += padded(type, id, content.substr(0, length));
            content.remove_prefix(length);
        }
        return bytes;
    }

    std::string head(const Request& request, std::string_view amid = {}) {
        std::string bytes = begin(request.id, request.role, request.keepAlive ? 1 : 0);
        const std::string pairs = fastcgi::encodePairs(variables(request));
        const std::size_t at = below(pairs.size());
        bytes += pieces(RecordType::params, request.id, std::string_view(pairs).substr(0, at));
        bytes += amid;
        bytes += pieces(RecordType::params, request.id, std::string_view(pairs).substr(at));
        return bytes + padded(RecordType::params, request.id, {});
    }

    std::string body(std::uint16_t id, std::string_view content) {
        return pieces(RecordType::stdIn, id, content) + padded(RecordType::stdIn, id, {});
    }

    /// A whole request for the script that must not run.
    std::string forged(std::uint16_t id) {
        return begin(id, 1, static_cast<int>(below(2))) +
               record(RecordType::params, id,
                      fastcgi::encodePairs({{"SCRIPT_FILENAME", site_.directory + "/forged.php"},
                                            {"REQUEST_METHOD", "GET"}})) +
               record(RecordType::params, id) + record(RecordType::stdIn, id);
    }

    /// Forged requests and noise, so that one begins at the start, at the end or anywhere.
    std::string forgedBytes(std::uint16_t id) {
        std::string bytes;
        for (unsigned parts = 1 + below(4); parts > 0; --parts) {
            bytes += below(3) == 0 ? std::string(below(40), 'n') : forged(below(2) == 0 ? id : 1);
        }
        if (below(200) == 0) {
            while (bytes.size() < 150'000) {
                bytes += forged(id);
            }
        }
        return bytes;
    }

    Request anyRequest(std::size_t length) {
        static constexpr std::array kActions = {"all",   "all",   "half",   "ignore", "exit",
                                                "fatal", "throw", "finish", "part"};
        static constexpr std::array kMethods = {"POST", "PUT", "GET", "HEAD"};
        Request request;
        request.id = pickId();
        request.action = kActions[below(kActions.size())];
        request.method = kMethods[below(kMethods.size())];
        request.length = std::to_string(length);
        if (below(8) == 0) {
            request.type = "application/x-www-form-urlencoded";
        }
        if (case_.number % kTimeEvery == 7 && nonces_ == 0) {
            request.action = "time";
        } else if (case_.number % kMemoryEvery == 11 && nonces_ == 0) {
            request.action = "memory";
        } else if (below(12) == 0) {
            static constexpr std::array kOthers = {"/status", "/ping", "/missing.php", "/text.txt"};
            request.name = kOthers[below(kOthers.size())];
        }
        return request;
    }

    void whole(const Request& request, std::string_view content) {
        add(head(request));
        add(body(request.id, content));
        perhapsWait();
    }

    // ---- rounds that follow the protocol ----

    void legalRound() {
        using Round = void (Maker::*)();
        static constexpr std::array<Round, 14> kRounds = {
            &Maker::forgedBody,        &Maker::forgedBody,
            &Maker::beyondTheLength,   &Maker::lengthTooLong,
            &Maker::withoutLength,     &Maker::forgedInVariables,
            &Maker::foreignAmidHead,   &Maker::foreignAmidBody,
            &Maker::filterData,        &Maker::upload,
            &Maker::answeredEarly,     &Maker::valuesBetween,
            &Maker::emptyStdinBetween, &Maker::nothingOfTheBody,
        };
        (this->*kRounds[below(kRounds.size())])();
    }

    void forgedBody() {
        kind("body");
        const std::string content = forgedBytes(pickId());
        whole(anyRequest(content.size()), content);
    }

    void beyondTheLength() {
        kind("beyond-length");
        const std::string content = "honest" + forgedBytes(pickId());
        whole(anyRequest(below(7)), content);
    }

    void lengthTooLong() {
        kind("length-too-long");
        const std::string content = forgedBytes(pickId());
        whole(anyRequest(content.size() + 1 + below(100'000)), content);
    }

    void withoutLength() {
        kind("no-length");
        Request request = anyRequest(0);
        request.length = below(2) == 0 ? "" : "abc";
        whole(request, forgedBytes(pickId()));
    }

    void forgedInVariables() {
        kind("variables");
        Request request = anyRequest(0);
        request.more = {{"HTTP_X", forgedBytes(request.id)}};
        whole(request, {});
    }

    void foreignAmidHead() {
        kind("foreign-amid-head");
        const Request request = anyRequest(0);
        add(head(request, forged(kForeignId)));
        add(body(request.id, {}));
        perhapsWait();
    }

    void foreignAmidBody() {
        kind("foreign-amid-body");
        const std::string content = forgedBytes(pickId());
        const Request request = anyRequest(content.size());
        const std::size_t at = below(content.size());
        add(head(request));
        add(pieces(RecordType::stdIn, request.id, std::string_view(content).substr(0, at)));
        add(forged(kForeignId));
        add(body(request.id, std::string_view(content).substr(at)));
        perhapsWait();
    }

    void filterData() {
        kind("filter");
        Request request = anyRequest(3);
        request.role = kFilter;
        const std::string bytes = forgedBytes(request.id).substr(0, 60'000);
        add(head(request));
        add(padded(RecordType::data, request.id, bytes));
        add(body(request.id, "abc"));
        perhapsWait();
        add(padded(RecordType::data, request.id, bytes));
        add(padded(RecordType::data, request.id, {}));
    }

    void upload() {
        kind("upload");
        std::string content =
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" +
            forgedBytes(pickId()) + "\r\n--b--\r\n";
        if (below(2) == 0) {
            content.resize(below(content.size()));
        }
        Request request = anyRequest(content.size() + (below(2) == 0 ? 0 : below(1000)));
        request.action = "upload";
        request.method = "POST";
        request.type = "multipart/form-data; boundary=b";
        whole(request, content);
    }

    /// Ended before its body is sent: what comes late is of no request any more.
    void answeredEarly() {
        kind("answered-early");
        const std::string content = forgedBytes(pickId());
        Request request = anyRequest(content.size());
        static constexpr std::array kNames = {"/smuggle.php", "/status", "/ping"};
        request.name = kNames[below(kNames.size())];
        request.action = "finish";
        request.method = "PUT";  // PHP reads no body of its own accord
        const std::size_t at = below(content.size());
        add(head(request));
        add(pieces(RecordType::stdIn, request.id, std::string_view(content).substr(0, at)));
        case_.waits.push_back(case_.stream.size());
        add(body(request.id, std::string_view(content).substr(at)));
        perhapsWait();
    }

    void valuesBetween() {
        kind("values");
        add(padded(RecordType::getValues, 0, fastcgi::encodePairs({{"FCGI_MPXS_CONNS", ""}})));
        add(padded(RecordType::getValues, 0, forgedBytes(1).substr(0, 60'000)));
        honest(true);
    }

    void emptyStdinBetween() {
        kind("empty-stdin");
        add(padded(RecordType::stdIn, pickId(), {}));
        honest(true);
    }

    /// An empty STDIN in place of the end of the parameters.
    void nothingOfTheBody() {
        kind("no-end-of-params");
        const Request request = anyRequest(5);
        add(begin(request.id));
        add(pieces(RecordType::params, request.id, fastcgi::encodePairs(variables(request))));
        add(padded(RecordType::stdIn, request.id, {}));
        perhapsWait();
    }

    // ---- rounds that end the connection ----

    void illegalRound() {
        using Round = void (Maker::*)();
        static constexpr std::array<Round, 9> kRounds = {
            &Maker::sameIdAgain, &Maker::abortAmidHead, &Maker::abortAmidBody,
            &Maker::behindClose, &Maker::strayRecord,   &Maker::badRecordAmidBody,
            &Maker::claimsMore,  &Maker::neverEnded,    &Maker::damaged,
        };
        (this->*kRounds[below(kRounds.size())])();
    }

    void sameIdAgain() {
        kind("same-id");
        const std::string content = forgedBytes(pickId());
        const Request request = anyRequest(content.size());
        if (below(2) == 0) {
            add(head(request, forged(request.id)));
        } else {
            add(head(request));
            add(pieces(RecordType::stdIn, request.id, content));
        }
        add(forged(request.id));
    }

    void abortAmidHead() {
        kind("abort-amid-head");
        const Request request = anyRequest(0);
        add(head(request, record(RecordType::abortRequest, request.id)));
    }

    void abortAmidBody() {
        kind("abort-amid-body");
        const std::string content = forgedBytes(pickId());
        const Request request = anyRequest(content.size() + 1);
        add(head(request));
        add(pieces(RecordType::stdIn, request.id, content));
        add(padded(RecordType::abortRequest, request.id, {}));
        add(body(request.id, "x"));
    }

    void behindClose() {
        kind("behind-close");
        const std::string content = forgedBytes(pickId());
        Request request = anyRequest(content.size());
        request.keepAlive = false;
        add(head(request));
        add(body(request.id, content));
    }

    void strayRecord() {
        kind("stray");
        honest(true);
        const std::uint16_t id = pickId();
        const std::array strays = {
            padded(RecordType::stdIn, id, "not empty"),
            padded(RecordType::data, id, "x"),
            padded(RecordType::params, id, "\x01"),
            padded(RecordType::abortRequest, id, {}),
            padded(static_cast<RecordType>(99), id, "x"),
            padded(RecordType::endRequest, id, "12345678"),
            begin(id, 1, 1, 9),
            begin(id, 4),
        };
        add(strays[below(strays.size())]);
    }

    void badRecordAmidBody() {
        kind("bad-record-amid-body");
        const std::string content = forgedBytes(pickId());
        const Request request = anyRequest(content.size() + 9);
        std::string bad =
            padded(below(2) == 0 ? RecordType::params : RecordType::unknownType, request.id, "x");
        if (below(2) == 0) {
            bad = padded(RecordType::stdIn, request.id, "version 0");
            bad[0] = '\0';
        }
        add(head(request));
        add(pieces(RecordType::stdIn, request.id, content));
        add(bad);
    }

    /// What follows is swallowed as the rest of the record.
    void claimsMore() {
        kind("claims-more");
        const Request request = anyRequest(60'000);
        add(head(request));
        std::string cutShort = record(RecordType::stdIn, request.id, std::string(65535, 'x'));
        cutShort.resize(fastcgi::kHeaderSize + below(20));
        add(cutShort);
    }

    /// Its body has no end: what begins behind it is another request amid this one.
    void neverEnded() {
        kind("never-ended");
        const std::string content = forgedBytes(pickId());
        const Request request = anyRequest(content.size());
        add(head(request));
        add(pieces(RecordType::stdIn, request.id, content));
        add(forged(kForeignId));
    }

    /// Bytes changed, lost or added anywhere; the reference says what that means.
    void damaged() {
        const std::size_t start = case_.stream.size();
        forgedBody();
        honest(true);
        kind("damaged");
        case_.waits.clear();
        const std::string before = case_.stream;
        do {
            case_.stream = before;
            for (unsigned changes = 1 + below(3); changes > 0; --changes) {
                const std::size_t at = start + below(case_.stream.size() - start);
                switch (below(3)) {
                    case 0:
                        case_.stream.erase(at, 1 + below(9));
                        break;
                    case 1:
                        case_.stream.insert(at, 1 + below(9), static_cast<char>(below(12)));
                        break;
                    default:
                        case_.stream[at] = static_cast<char>(below(below(2) == 0 ? 12 : 256));
                }
                if (case_.stream.size() <= start) {
                    break;
                }
            }
        } while (case_.stream.size() <= start || makesForgedLegal());
    }

    /// The damage may happen to set a forged request free: then it is no case.
    bool makesForgedLegal() {
        const Reference reference(case_.stream + forged(1) + forged(kForeignId), {});
        const auto& told = reference.requests();
        return std::any_of(told.begin(), told.end(), [](const fastcgi::streams::Told& request) {
            return request["SCRIPT_FILENAME"].ends_with("/forged.php");
        });
    }

    // ---- the honest ones, and the pieces of all ----

    void honest(bool keepAlive) {
        const std::string content(below(40), 'h');
        Request request;
        request.id = pickId();
        request.keepAlive = keepAlive;
        request.length = std::to_string(content.size());
        add(head(request));
        add(body(request.id, content));
    }

    void cut() {
        const std::size_t size = case_.stream.size();
        for (unsigned count = below(5); count > 0; --count) {
            case_.cuts.push_back(1 + below(size));
        }
        std::sort(case_.cuts.begin(), case_.cuts.end());
        if (below(80) == 0) {
            case_.pauseAt = 1 + below(size);
            case_.pauseMs = 1 + below(12);
            case_.cuts.push_back(case_.pauseAt);
            std::sort(case_.cuts.begin(), case_.cuts.end());
        }
    }

    const Site& site_;
    std::mt19937_64 random_;
    Case case_;
    unsigned nonces_ = 0;
};

}  // namespace

Case makeCase(const Site& site, std::uint64_t seed, std::uint64_t number) {
    return Maker(site, seed, number).make();
}

}  // namespace muster::smuggling
