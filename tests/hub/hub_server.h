#pragma once
// The stand-in for the hub, as a process of its own.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <sstream>
#include <string>

#include "grin/base/json.h"
#include "grin/hub/http.h"

namespace grin {

// tests/hub/hub_server.py, running as long as this lives.
class HubServer {
 public:
  HubServer() {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
      execlp("python3", "python3", GRIN_SOURCE_DIR "/tests/hub/hub_server.py", nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    stdin_ = in[1];
    char text[64] = {};
    size_t size = 0;
    while (size + 1 < sizeof text && !strchr(text, '\n')) {
      const ssize_t count = read(out[0], text + size, sizeof text - 1 - size);
      if (count <= 0) break;
      size += static_cast<size_t>(count);
    }
    close(out[0]);
    std::istringstream(text) >> port_;
  }
  ~HubServer() {
    close(stdin_);
    waitpid(pid_, nullptr, 0);
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  std::string Url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  // All requests so far.
  Json Log() const {
    std::string body;
    HttpClient client;
    client.Send({.url = Url() + "/log", .on_body = [&](const auto&, std::string_view piece) {
                   body += piece;
                   return true;
                 }});
    return Json::parse(body);
  }

 private:
  pid_t pid_ = 0;
  int stdin_ = -1, port_ = 0;
};

}  // namespace grin
