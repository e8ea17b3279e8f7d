#include "grin/hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <exception>

#include "grin/base/error.h"
#include "grin/base/interrupt.h"
#include "grin/base/space.h"

namespace grin {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kStalledSeconds = 30;  // without a byte

struct Transfer {
  CURL* curl;
  const HttpRequest* request;
  HttpResponse response;
  std::exception_ptr thrown;
  bool stopped = false;
};

int StatusOf(CURL* curl) {
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return static_cast<int>(code);
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) transfer.response.headers.clear();  // "100 Continue" came before
  if (const size_t colon = line.find(':'); colon != line.npos) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    transfer.response.headers[name] = Trimmed(line.substr(colon + 1));
  }
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& [curl, request, response, thrown, stopped] = *static_cast<Transfer*>(user);
  if (!request->on_body) return size * count;
  try {
    response.status = StatusOf(curl);
    stopped = !request->on_body(response, {data, size * count});
  } catch (...) {
    thrown = std::current_exception();
  }
  return stopped || thrown ? 0 : size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  try {
    ThrowIfInterrupted();
    return 0;
  } catch (...) {
    static_cast<Transfer*>(user)->thrown = std::current_exception();
    return 1;
  }
}

// A part of a URL; empty when it cannot be had.
std::string Part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  const std::string copy = text;
  curl_free(text);
  return copy;
}

using UrlHandle = std::unique_ptr<CURLU, void (*)(CURLU*)>;

UrlHandle ParseUrl(const std::string& text) {
  UrlHandle url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) url.reset();
  return url;
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

HttpClient::HttpClient() {
  // Once in the process, before any handle; a local static is made once also among threads.
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_ = global == CURLE_OK ? curl_easy_init() : nullptr;
  if (!curl_) Defect("io", "libcurl cannot be started");
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

HttpResponse HttpClient::Send(const HttpRequest& request) {
  ThrowIfInterrupted();
  Transfer transfer{.curl = curl_, .request = &request, .response = {}, .thrown = {}};
  char message[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl_);  // connections stay
  // Bodies as they lie on the server: packed ones would not match their sizes and digests.
  curl_slist* headers = curl_slist_append(nullptr, "Accept-Encoding: identity");
  for (const std::string& header : request.headers) {
    headers = curl_slist_append(headers, header.c_str());
  }
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl_, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_NOBODY, request.head ? 1L : 0L);
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_USERAGENT, "grin");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_HEADERFUNCTION, OnHeader);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, OnBody);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, OnProgress);
  set(CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl_);
  curl_slist_free_all(headers);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  transfer.response.status = StatusOf(curl_);
  if (code != CURLE_OK && !transfer.stopped) {
    transfer.response.error = message[0] ? message : curl_easy_strerror(code);
  }
  return transfer.response;
}

std::string ResolveUrl(const std::string& url, const std::string& location) {
  const UrlHandle handle = ParseUrl(url);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return location;
  }
  return Part(handle.get(), CURLUPART_URL, 0);
}

std::string UrlOrigin(const std::string& url) {
  const UrlHandle handle = ParseUrl(url);
  if (!handle) return {};
  return fmt::format("{}://{}:{}", Part(handle.get(), CURLUPART_SCHEME, 0),
                     Part(handle.get(), CURLUPART_HOST, 0),
                     Part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string UrlEncode(std::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const unsigned char c : text) {
    const bool plain = std::isalnum(c) || std::string_view("-_.~").find(static_cast<char>(c)) !=
                                              std::string_view::npos;
    if (plain || (keep_slashes && c == '/')) {
      encoded += static_cast<char>(c);
    } else {
      encoded += fmt::format("%{:02X}", c);
    }
  }
  return encoded;
}

}  // namespace grin
