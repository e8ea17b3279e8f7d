#include "grin/hub/client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/printable.h"
#include "grin/base/read_json.h"
#include "grin/base/space.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 5;
constexpr int kMostRedirects = 10;
constexpr int kOk = 200, kPartial = 206, kUnauthorized = 401, kForbidden = 403, kNotFound = 404,
              kMethodNotAllowed = 405, kRangeNotSatisfiable = 416, kTooManyRequests = 429,
              kServerError = 500, kNotImplemented = 501;

// Before try n + 1: 0.2 s, doubled each time.
void WaitBeforeTry(int tried) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200 << tried);
  while (std::chrono::steady_clock::now() < end) {
    ThrowIfInterrupted();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

bool MayPass(const HttpResponse& response) {
  return !response.error.empty() || response.status == kTooManyRequests ||
         (response.status >= kServerError && response.status != kNotImplemented);
}

bool IsTrue(const std::string& value) {
  return value == "1" || value == "true" || value == "TRUE" || value == "True" || value == "ON" ||
         value == "on" || value == "YES" || value == "yes";
}

std::string CheckedToken(std::string_view text) {
  std::string token(Trimmed(text));
  const bool plain = std::ranges::all_of(token, [](unsigned char c) { return c > ' ' && c < 127; });
  if (!plain) BadUsage("io", "HF_TOKEN holds characters that no token has");
  return token;
}

// As the Python libraries look for it.
std::string FindToken() {
  if (std::string token = EnvironmentValue("HF_TOKEN"); !token.empty()) return CheckedToken(token);
  fs::path file = EnvironmentValue("HF_TOKEN_PATH");
  if (file.empty()) {
    const fs::path home = EnvironmentValue("HF_HOME");
    file = home.empty() ? fs::path(EnvironmentValue("HOME")) / ".cache" / "huggingface" / "token"
                        : home / "token";
  }
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) ? CheckedToken(ReadFile(file)) : std::string();
}

std::optional<int64_t> ParseSize(const std::string& text) {
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 0) return std::nullopt;
  return size;
}

// W/"abc" -> abc.
std::string CleanEtag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

std::string RepoUrl(const HubSettings& settings, const HubRepo& repo, std::string_view before) {
  const char* kind = repo.kind == HubKind::kDataset ? "datasets/" : before.empty() ? "" : "models/";
  return fmt::format("{}/{}{}{}", settings.endpoint, before, kind, repo.name);
}

int64_t SizeOf(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

void Truncate(const fs::path& path, const std::function<void(int64_t)>& progress) {
  progress(-SizeOf(path));
  std::error_code ignored;
  fs::remove(path, ignored);
}

// "bytes 7-99/100" -> 7; -1 for anything else.
int64_t RangeBegin(const std::string& range) {
  constexpr std::string_view kUnit = "bytes ";
  if (!range.starts_with(kUnit)) return -1;
  return ParseSize(range.substr(kUnit.size(), range.find('-') - kUnit.size())).value_or(-1);
}

}  // namespace

HubSettings ReadHubSettings() {
  HubSettings settings;
  if (const std::string endpoint = EnvironmentValue("HF_ENDPOINT"); !endpoint.empty()) {
    settings.endpoint = endpoint;
    while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
    if (UrlOrigin(settings.endpoint).empty()) {
      BadUsage("io", "HF_ENDPOINT is '{}', which is no URL such as https://huggingface.co",
               Printable(endpoint));
    }
  }
  settings.token = FindToken();
  settings.offline = IsTrue(EnvironmentValue("HF_HUB_OFFLINE"));
  return settings;
}

HttpResponse HubClient::Send(HttpRequest request) {
  if (!settings_.token.empty() && UrlOrigin(request.url) == UrlOrigin(settings_.endpoint)) {
    request.headers.push_back("Authorization: Bearer " + settings_.token);
  }
  return http_.Send(request);
}

HttpResponse HubClient::SendPatiently(const HubRepo& repo, const HttpRequest& request) {
  for (int tried = 0;; ++tried) {
    const HttpResponse response = Send(request);
    if (!MayPass(response)) return response;
    if (tried + 1 == kTries) Refuse(repo, response, {});
    WaitBeforeTry(tried);
  }
}

void HubClient::Refuse(const HubRepo& repo, const HttpResponse& response,
                       const std::string& what) const {
  const std::string name = repo.Describe();
  if (!response.error.empty()) {
    BadInput("io",
             "{}: the hub {} cannot be reached: {}; check the network (a cached copy is used "
             "without it)",
             name, settings_.endpoint, Printable(response.error, 200));
  }
  std::string reason = Printable(response.Header("x-error-message"), 300);
  if (!reason.empty()) reason = ": " + reason;
  const std::string code = response.Header("x-error-code");
  const std::string page = RepoUrl(settings_, repo, "");
  const bool gated = code == "GatedRepo" || response.status == kForbidden;
  if (gated) {
    BadInput("io", "{}: access is refused ({}){}; it is gated: ask for access at {}, {}", name,
             response.status, reason, page,
             settings_.token.empty() ? "then set HF_TOKEN" : "or use another HF_TOKEN");
  }
  if (response.status == kUnauthorized) {
    BadInput("io", "{}: access is refused (401){}; {}", name, reason,
             settings_.token.empty() ? "it does not exist, or is private: check the name, or set "
                                       "HF_TOKEN"
                                     : "it does not exist, or the HF_TOKEN is not accepted");
  }
  if (response.status == kNotFound) {
    const std::string lacking =
        code == "RevisionNotFound"     ? fmt::format("the revision '{}'", Printable(repo.revision))
        : !what.empty()                ? fmt::format("the file '{}'", Printable(what))
        : repo.kind == HubKind::kModel ? "that model (a data set needs --dataset), or the revision"
                                       : "that data set, or the revision";
    BadInput("io", "{}: the hub {} does not have {} (404){}", name, settings_.endpoint, lacking,
             reason);
  }
  BadInput("io", "{}: the hub {} answers {}{}{}", name, settings_.endpoint, response.status,
           what.empty() ? "" : " for " + Printable(what), reason);
}

HubListing HubClient::List(const HubRepo& repo) {
  std::string body;
  HttpRequest request = {.url = fmt::format("{}/revision/{}", RepoUrl(settings_, repo, "api/"),
                                            UrlEncode(repo.revision, false))};
  request.on_body = [&body](const HttpResponse&, std::string_view piece) {
    body += piece;
    return true;
  };
  HttpResponse response;
  for (int hops = 0;; ++hops) {  // a repository that was renamed
    body.clear();
    response = SendPatiently(repo, request);
    if (!response.IsRedirect() || hops == kMostRedirects) break;
    request.url = ResolveUrl(request.url, response.Header("location"));
  }
  if (response.status != kOk) Refuse(repo, response, {});
  const std::string where = request.url;
  const Json json = ParseJson(body, where);
  const auto text = [&](const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end() || !found->is_string() ||
        !IsSafeHubPath(found->get<std::string>())) {
      BadInput("io", "{}: the hub's answer has no usable '{}'", where, key);
    }
    return found->get<std::string>();
  };
  HubListing listing = {.commit = text(json, "sha"), .files = {}};
  if (listing.commit.find('/') != std::string::npos) {
    BadInput("io", "{}: the hub's answer has no usable 'sha'", where);
  }
  if (const auto siblings = json.find("siblings"); siblings != json.end()) {
    for (const Json& sibling : *siblings) listing.files.push_back(text(sibling, "rfilename"));
  }
  return listing;
}

HubFile HubClient::Locate(const HubRepo& repo, const std::string& commit, const std::string& name) {
  HubFile file = {.name = name,
                  .url = fmt::format("{}/resolve/{}/{}", RepoUrl(settings_, repo, ""), commit,
                                     UrlEncode(name, true)),
                  .etag = {},
                  .size = {}};
  HttpRequest request = {.url = file.url, .head = true};
  // Without a body wanted: a server that knows no HEAD is asked by GET, and cut short.
  request.on_body = [](const HttpResponse&, std::string_view) { return false; };
  std::string linked, own;
  for (int hops = 0; hops < kMostRedirects; ++hops) {
    HttpResponse response = SendPatiently(repo, request);
    if (request.head &&
        (response.status == kMethodNotAllowed || response.status == kNotImplemented)) {
      request.head = false;
      continue;
    }
    if (response.status != kOk && !response.IsRedirect()) Refuse(repo, response, name);
    // What the hub says of a large file goes before what its store says.
    if (linked.empty()) linked = response.Header("x-linked-etag");
    if (own.empty()) own = response.Header("etag");
    if (const auto size = ParseSize(response.Header("x-linked-size")); size && !file.size) {
      file.size = size;
    }
    if (!response.IsRedirect()) {
      if (!file.size) file.size = ParseSize(response.Header("content-length"));
      break;
    }
    if (!linked.empty() && file.size) break;
    request.url = ResolveUrl(request.url, response.Header("location"));
  }
  file.etag = CleanEtag(linked.empty() ? own : linked);
  if (!IsSafeHubPath(file.etag) || file.etag.find('/') != std::string::npos) {
    BadInput("io", "{}: the hub {} gives no usable ETag for '{}', by which the cache would name it",
             repo.Describe(), settings_.endpoint, Printable(name));
  }
  return file;
}

HttpResponse HubClient::DownloadOnce(const HubFile& file, const fs::path& path,
                                     const std::function<void(int64_t)>& progress) {
  const int64_t begin = SizeOf(path);
  std::ofstream out;
  HttpRequest request = {.url = file.url};
  if (begin > 0) request.headers.push_back(fmt::format("Range: bytes={}-", begin));
  request.on_body = [&](const HttpResponse& response, std::string_view piece) {
    if (response.status != kOk && response.status != kPartial) return false;
    if (!out.is_open()) {
      const bool goes_on =
          response.status == kPartial && RangeBegin(response.Header("content-range")) == begin;
      if (response.status == kPartial && !goes_on) return false;
      if (!goes_on && begin > 0) progress(-begin);
      out.open(path, std::ios::binary | (goes_on ? std::ios::app : std::ios::trunc));
    }
    out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (!out) BadInput("io", "{}: cannot be written: {}", path.string(), std::strerror(errno));
    progress(static_cast<int64_t>(piece.size()));
    return true;
  };
  HttpResponse response;
  for (int hops = 0; hops < kMostRedirects; ++hops) {
    response = Send(request);
    if (!response.IsRedirect()) break;
    request.url = ResolveUrl(request.url, response.Header("location"));
  }
  return response;
}

void HubClient::Download(const HubRepo& repo, const HubFile& file, const fs::path& path,
                         const std::function<void(int64_t)>& progress) {
  if (file.size && SizeOf(path) > *file.size) Truncate(path, progress);
  int fruitless = 0;  // tries in a row that brought nothing
  while (!file.size || SizeOf(path) < *file.size || !fs::exists(path)) {
    if (file.size == 0) {
      std::ofstream(path).close();
      break;
    }
    const int64_t before = SizeOf(path);
    const HttpResponse response = DownloadOnce(file, path, progress);
    const int64_t after = SizeOf(path);
    if (response.status == kRangeNotSatisfiable ||
        (response.status == kPartial && before == after)) {
      Truncate(path, progress);  // what is there fits nothing of the server's
    } else if (response.status != kOk && response.status != kPartial && !MayPass(response)) {
      Refuse(repo, response, file.name);
    }
    const bool whole =
        response.error.empty() && (response.status == kOk || response.status == kPartial);
    if (whole && !file.size) {
      if (!fs::exists(path)) std::ofstream(path).close();  // an empty body
      break;
    }
    if (file.size && after > *file.size) {
      const int64_t size = after;
      Truncate(path, progress);
      BadInput("io", "{}: '{}' has {} bytes, the hub announced {}", repo.Describe(), file.name,
               size, *file.size);
    }
    if (file.size && after == *file.size) break;
    fruitless = after > before ? 0 : fruitless + 1;
    if (fruitless == kTries) {
      if (!response.error.empty() || response.status >= 400) Refuse(repo, response, file.name);
      BadInput("io", "{}: '{}' breaks off at {} of {} bytes; run the command again to go on",
               repo.Describe(), file.name, after, file.size.value_or(0));
    }
    WaitBeforeTry(std::min(fruitless, kTries - 1));
  }
}

}  // namespace grin
