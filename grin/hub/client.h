#pragma once
// The hub's HTTP interface: what a repository holds, where a file lies, and its bytes.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "grin/hub/cache.h"
#include "grin/hub/http.h"

namespace grin {

struct HubSettings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT
  std::string token;     // HF_TOKEN, else the token file; sent to the endpoint's host only
  bool offline = false;  // HF_HUB_OFFLINE
};

// From the environment. Error (usage) for an endpoint that is no URL, or a token that can be none.
HubSettings ReadHubSettings();

struct HubListing {
  std::string commit;
  std::vector<std::string> files;
};

// One file of a repository, before it is downloaded.
struct HubFile {
  std::string name;
  std::string url;              // where the repository has it; may redirect
  std::string etag;             // the blob's name: its SHA-256, its git SHA-1, or neither
  std::optional<int64_t> size;  // bytes
};

// Not for use by several threads at once. Requests that fail on the way, and those that the server
// cannot answer now (429, 5xx), are repeated a few times. Errors (bad input) name the repository,
// and say what helps: no network, access refused, no such repository, revision or file.
class HubClient {
 public:
  explicit HubClient(const HubSettings& settings) : settings_(settings) {}

  HubListing List(const HubRepo& repo);
  HubFile Locate(const HubRepo& repo, const std::string& commit, const std::string& file);

  // Brings the file to `path`, going on where an earlier try ended, and tells `progress` of each
  // new piece (a negative number takes back what has to come again). The size is checked, the
  // content is not.
  void Download(const HubRepo& repo, const HubFile& file, const std::filesystem::path& path,
                const std::function<void(int64_t)>& progress);

 private:
  // Sends a request, with the token where the URL is the endpoint's.
  HttpResponse Send(HttpRequest request);
  // Repeats until there is an answer that another try would not change.
  HttpResponse SendPatiently(const HubRepo& repo, const HttpRequest& request);
  [[noreturn]] void Refuse(const HubRepo& repo, const HttpResponse& response,
                           const std::string& what) const;
  HttpResponse DownloadOnce(const HubFile& file, const std::filesystem::path& path,
                            const std::function<void(int64_t)>& progress);

  HubSettings settings_;
  HttpClient http_;
};

}  // namespace grin
