#pragma once
// The command as several processes, as torchrun and its like would start them.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "grin/base/atomic_file.h"
#include "tests/cli/grin_command.h"

namespace grin {

// A port of this machine that nobody has.
inline int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

// Processes of one run. Each writes to stdout.RANK and stderr.RANK in the folder that it works in.
class SeveralProcesses {
 public:
  // `folder` is where they work; `args` what each of them is told, one for each rank or one for all.
  SeveralProcesses(std::filesystem::path folder, int world, std::vector<std::string> args)
      : folder_(std::move(folder)), codes_(world, -1) {
    const std::string port = std::to_string(FreePort());
    for (int rank = 0; rank < world; ++rank) {
      const std::string command =
          "exec " + GrinCommand() + " " + args[args.size() == 1 ? 0 : rank] + " >stdout." +
          std::to_string(rank) + " 2>stderr." + std::to_string(rank) + " </dev/null";
      const pid_t pid = fork();
      if (pid == 0) {
        if (chdir(folder_.c_str()) == 0) {
          setenv("OMP_NUM_THREADS", "1", 1);
          if (world > 1) {
            setenv("RANK", std::to_string(rank).c_str(), 1);
            setenv("WORLD_SIZE", std::to_string(world).c_str(), 1);
            setenv("MASTER_ADDR", "127.0.0.1", 1);
            setenv("MASTER_PORT", port.c_str(), 1);
          }
          execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        }
        _exit(127);
      }
      pids_.push_back(pid);
    }
  }

  ~SeveralProcesses() {
    for (size_t rank = 0; rank < pids_.size(); ++rank) {
      if (codes_[rank] < 0) kill(pids_[rank], SIGKILL), kill(pids_[rank], SIGCONT);
    }
    Wait();
  }

  void Signal(int rank, int signal) { kill(pids_[rank], signal); }

  // The exit codes, 128 + the signal where one ended it; after at most so many seconds those that are
  // still at work have -1.
  std::vector<int> WaitFor(double seconds) {
    const auto start = std::chrono::steady_clock::now();
    for (;;) {
      bool all = true;
      for (size_t rank = 0; rank < pids_.size(); ++rank) {
        int status = 0;
        if (codes_[rank] >= 0) continue;
        if (waitpid(pids_[rank], &status, WNOHANG) == pids_[rank]) {
          codes_[rank] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        } else {
          all = false;
        }
      }
      const std::chrono::duration<double> since = std::chrono::steady_clock::now() - start;
      if (all || since.count() > seconds) return codes_;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::vector<int> Wait() { return WaitFor(600); }

  std::string Errors(int rank) const {
    return ReadFile(folder_ / ("stderr." + std::to_string(rank)));
  }
  std::string Output(int rank) const {
    return ReadFile(folder_ / ("stdout." + std::to_string(rank)));
  }
  // What all ranks but the first say.
  std::string OthersErrors() const {
    std::string all;
    for (size_t rank = 1; rank < pids_.size(); ++rank) all += Errors(static_cast<int>(rank));
    return all;
  }
  std::string AllErrors() const { return Errors(0) + OthersErrors(); }

 private:
  std::filesystem::path folder_;
  std::vector<pid_t> pids_;
  std::vector<int> codes_;
};

}  // namespace grin
