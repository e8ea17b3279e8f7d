#pragma once
// HTTP requests, one at a time, without following redirects: who follows decides what the next host
// may see.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace grin {

struct HttpResponse {
  int status = 0;                              // 0 when there was no answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string error;  // why the transfer failed or broke; empty if it did not

  bool IsRedirect() const { return status >= 300 && status < 400 && headers.contains("location"); }
  // The value of a header; empty where there is none.
  std::string Header(const std::string& name) const;
};

struct HttpRequest {
  std::string url;
  bool head = false;                 // only the headers
  std::vector<std::string> headers;  // "Range: bytes=7-"
  // Called for each piece of the body, with the status and headers known so far; false ends the
  // transfer. What it throws, Send throws.
  std::function<bool(const HttpResponse&, std::string_view)> on_body;
};

// Keeps connections open between requests. Not for use by several threads at once.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Only http and https. Error (interrupted) after a signal.
  HttpResponse Send(const HttpRequest& request);

 private:
  void* curl_;
};

// `location` as seen from `url`.
std::string ResolveUrl(const std::string& url, const std::string& location);

// "https://host:443" of a URL; empty when it is none.
std::string UrlOrigin(const std::string& url);

// `text` as part of a URL; slashes stay when `keep_slashes`.
std::string UrlEncode(std::string_view text, bool keep_slashes);

}  // namespace grin
