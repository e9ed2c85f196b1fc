// Compares a connection's answers with what the slow reference makes of its stream.
#include "verdict.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "support/streams/reference.h"

namespace muster::smuggling {
namespace {

using fastcgi::streams::Reference;
using fastcgi::streams::Told;

std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = 0xffffffffU;
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
        }
    }
    return ~crc;
}

/// Value of `key` in a query string of ours.
std::string queryValue(const std::string& query, const std::string& key) {
    const std::size_t at = ("&" + query).find("&" + key + "=");
    if (at == std::string::npos) {
        return {};
    }
    const std::string rest = query.substr(at + key.size() + 1);
    return rest.substr(0, rest.find('&'));
}

/// What the script may see of the body: all of it without a length.
std::string visibleBody(const Told& told) {
    const std::string text = told["CONTENT_LENGTH"];
    const long length = text.empty() ? -1 : std::atol(text.c_str());
    return told.body.substr(0, length < 0 ? std::string::npos : static_cast<std::size_t>(length));
}

/// `<nonce|action|length|crc>`, as smuggle.php writes it.
std::string markOf(const std::string& nonce, const std::string& action, std::string_view body) {
    return "<" + nonce + "|" + action + "|" + std::to_string(body.size()) + "|" +
           std::to_string(crc32(body)) + ">";
}

std::string firstLine(const std::string& text) {
    return text.substr(0, 300);
}

/// What damage leaves of one need not be one.
bool isNonce(const std::string& text) {
    return text.find_first_not_of("0123456789.") == std::string::npos;
}

/// Every mark in the answer must be of this request: no byte of one answer is in another.
std::string checkMarks(const Answer& answer, const std::string& nonce) {
    for (std::size_t at = answer.out.find("|"); at != std::string::npos;
         at = answer.out.find('|', at + 1)) {
        const std::size_t start = answer.out.rfind('<', at);
        if (start == std::string::npos) {
            continue;
        }
        const std::string found = answer.out.substr(start + 1, at - start - 1);
        if (isNonce(found) && isNonce(nonce) && found != nonce) {
            return "the answer to " + nonce + " holds that to " + found;
        }
    }
    return {};
}

std::string checkAnswer(const Case& what, const Told& told, const Answer& answer) {
    const std::string query = told["QUERY_STRING"];
    const std::string nonce = queryValue(query, "n");
    const std::string action = queryValue(query, "do");
    const std::string script = told["SCRIPT_NAME"];
    if (answer.id != told.id) {
        return "an answer with the id of another request";
    }
    if (std::string failure = checkMarks(answer, nonce); !failure.empty()) {
        return failure;
    }
    struct Page {
        const char* name;
        const char* text;
    };
    constexpr std::array kPages = {Page{"/status", "accepted conn:"}, Page{"/ping", "pong"},
                                   Page{"/missing.php", "File not found."},
                                   Page{"/text.txt", "Access denied."}};
    // Damage may have taken the method, and PHP drops output when the memory is exhausted.
    const bool silent =
        told["REQUEST_METHOD"].empty() || told["REQUEST_METHOD"] == "HEAD" || action == "memory";
    for (const Page& page : kPages) {
        if (script == page.name && told["SCRIPT_FILENAME"] == what.scripts + page.name) {
            return silent || answer.out.find(page.text) != std::string::npos
                       ? std::string()
                       : script + " was answered by " + firstLine(answer.out);
        }
    }
    // Damage may also have led to another script; and who breaks off gets what answer there is.
    if (silent || !told.ended || told["SCRIPT_FILENAME"] != what.scripts + "/smuggle.php") {
        return {};
    }
    std::string body = visibleBody(told);
    if (action == "half") {
        body.resize(std::min(
            body.size(), static_cast<std::size_t>(std::atol(told["CONTENT_LENGTH"].c_str())) / 2));
    } else if (action == "part") {
        body.resize(std::min<std::size_t>(body.size(), 10));
    } else if (action != "all") {
        body.clear();
    }
    const std::string mark = markOf(nonce, action, body);
    return answer.out.find(mark) != std::string::npos
               ? std::string()
               : "expected " + mark + ", found " + firstLine(answer.out);
}

/// The requests that a server must have begun: none behind one that ends the connection.
std::vector<Told> dueIn(const Reference& reference) {
    std::vector<Told> due;
    for (const Told& told : reference.requests()) {
        due.push_back(told);
        if (!told.keepAlive) {
            break;
        }
    }
    return due;
}

}  // namespace

Verdict judge(const Case& what, const Outcome& outcome) {
    Verdict verdict;
    const Reference reference(what.stream, {});
    const std::vector<Told> due = dueIn(reference);
    for (const Answer& answer : outcome.answers) {
        if ((answer.out + answer.err).find(kForgedMark) != std::string::npos) {
            verdict.failure = "the forged request ran";
            return verdict;
        }
    }
    if (outcome.refusedConnection) {
        verdict.closedEarly = true;
        return verdict;
    }
    if (!outcome.problem.empty()) {
        verdict.failure = outcome.problem;
        return verdict;
    }
    if (outcome.answers.size() > due.size()) {
        verdict.failure = "more answers than requests";
        return verdict;
    }
    for (std::size_t i = 0; i < outcome.answers.size(); ++i) {
        const Answer& answer = outcome.answers[i];
        // A peer that breaks off amid its body may lose the answer, too.
        if (!answer.ended && due[i].ended) {
            verdict.failure = "an answer without an end";
            return verdict;
        }
        if (answer.ended) {
            verdict.failure = checkAnswer(what, due[i], answer);
            ++verdict.answered;
        }
        if (!verdict.failure.empty()) {
            return verdict;
        }
    }
    // A server may close behind a request whose body it has not got whole when it answers.
    const auto last = due.begin() + static_cast<std::ptrdiff_t>(outcome.answers.size());
    const bool mayClose = last != due.begin() && !(last - 1)->body.empty();
    verdict.closedEarly =
        !mayClose && std::any_of(last, due.end(), [](const Told& told) { return told.ended; });
    return verdict;
}

}  // namespace muster::smuggling
