#include "grin/hub/fetch.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "grin/base/atomic_file.h"
#include "grin/base/comma_list.h"
#include "grin/base/digest.h"
#include "grin/base/error.h"
#include "grin/base/listener.h"
#include "grin/base/progress.h"
#include "grin/hub/client.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Weights that no part of this program reads where there are safetensors.
constexpr std::string_view kOtherWeights =
    "*.bin,*.pt,*.pth,*.h5,*.msgpack,*.onnx,*.onnx_data,*.gguf,*.ot,*.tflite,*.mlmodel,*.ckpt";

bool Matches(std::string_view patterns, const std::string& name) {
  return std::ranges::any_of(CommaParts(patterns), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

std::vector<std::string> Choose(const HubRepo& repo, const std::vector<std::string>& files,
                                const HubFetchOptions& options) {
  const bool safetensors =
      std::ranges::any_of(files, [](const auto& file) { return file.ends_with(".safetensors"); });
  const bool drop_others = options.include.empty() && repo.kind == HubKind::kModel && safetensors;
  std::vector<std::string> chosen;
  for (const std::string& file : files) {
    if (!options.include.empty() && !Matches(options.include, file)) continue;
    if (drop_others && Matches(kOtherWeights, file)) continue;
    if (Matches(options.exclude, file)) continue;
    chosen.push_back(file);
  }
  return chosen;
}

// Holds other processes, Python's too, off a blob.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(open(path.c_str(), O_RDWR | O_CREAT, 0644)) {
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) {
      BadInput("io", "{}: cannot be locked: {}", path.string(), std::strerror(errno));
    }
  }
  ~FileLock() { close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

void CreateFolders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) BadInput("io", "{}: cannot be created: {}", folder.string(), error.message());
}

// "" where the content is what its ETag says, or the ETag is no digest; else what it is instead.
std::string WrongDigest(const fs::path& path, const std::string& etag) {
  constexpr size_t kSha256 = 64, kSha1 = 40;
  const bool hex = std::ranges::all_of(etag, [](unsigned char c) { return std::isxdigit(c); });
  if (!hex || (etag.size() != kSha256 && etag.size() != kSha1)) return {};
  const std::string digest = etag.size() == kSha256 ? FileSha256(path) : FileGitSha1(path);
  return digest == etag ? std::string() : digest;
}

// Runs `work` for each index, on several threads. The first exception ends all and is thrown.
void ForEach(size_t count, int threads, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::exception_ptr thrown;
  std::mutex mutex;
  const auto run = [&, listener = CurrentListener()] {
    const ListenerScope scope(listener);
    for (size_t i; (i = next++) < count;) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < std::min<int>(threads, static_cast<int>(count)); ++i) {
    workers.emplace_back(run);
  }
  for (std::thread& worker : workers) worker.join();
  if (thrown) std::rethrow_exception(thrown);
}

class Fetch {
 public:
  Fetch(const HubRepo& repo, const HubSettings& settings)
      : repo_(repo), settings_(settings), folder_(HubFolder(repo)) {}

  void Run(const HubFetchOptions& options, HubFetchReport& report) {
    const HubListing listing = HubClient(settings_).List(repo_);
    const std::vector<std::string> names = Choose(repo_, listing.files, options);
    if (names.empty()) {
      BadInput("io", "{}: none of its {} files is wanted by --include and --exclude",
               repo_.Describe(), listing.files.size());
    }
    report.commit = listing.commit;
    report.snapshot = folder_ / "snapshots" / listing.commit;
    report.files = static_cast<int64_t>(names.size());
    report.left_out = static_cast<int64_t>(listing.files.size() - names.size());
    std::vector<HubFile> missing;
    for (const std::string& name : names) {
      if (!fs::exists(report.snapshot / name)) missing.push_back({.name = name});
    }
    for (const fs::path& folder : {folder_ / "blobs", report.snapshot, LockFolder()}) {
      CreateFolders(folder);
    }
    ForEach(missing.size(), options.parallel, [&](size_t i) {
      missing[i] = HubClient(settings_).Locate(repo_, listing.commit, missing[i].name);
    });
    for (const HubFile& file : missing) report.bytes += file.size.value_or(0);
    // The largest first: they take longest.
    std::ranges::stable_sort(missing, std::greater(), [](const auto& f) { return f.size; });
    Progress progress("fetch", report.bytes);
    ForEach(missing.size(), options.parallel, [&](size_t i) {
      Bring(missing[i], report.snapshot / missing[i].name, [&](int64_t more) {
        const std::lock_guard lock(mutex_);
        progress.Add(more);
      });
    });
    report.fetched = static_cast<int64_t>(missing.size());
    WriteRef(listing.commit);
  }

 private:
  fs::path LockFolder() const { return HubCacheRoot() / ".locks" / folder_.filename(); }

  void Bring(const HubFile& file, const fs::path& pointer,
             const std::function<void(int64_t)>& progress) {
    const fs::path blob = folder_ / "blobs" / file.etag;
    {
      const FileLock lock(LockFolder() / (file.etag + ".lock"));
      std::error_code ignored;
      const bool there = fs::is_regular_file(blob, ignored) &&
                         (!file.size || fs::file_size(blob) == static_cast<uint64_t>(*file.size));
      if (!there) DownloadBlob(file, blob, progress);
    }
    Link(pointer, file.etag);
  }

  // A part that an earlier fetch left may itself be wrong: then once more from the start.
  void DownloadBlob(const HubFile& file, const fs::path& blob,
                    const std::function<void(int64_t)>& progress) {
    fs::path partial = blob;
    partial += ".incomplete";
    std::error_code ignored;
    HubClient client(settings_);
    for (bool resumed = fs::exists(partial, ignored);; resumed = false) {
      if (resumed) progress(static_cast<int64_t>(fs::file_size(partial)));
      client.Download(repo_, file, partial, progress);
      const std::string wrong = WrongDigest(partial, file.etag);
      if (wrong.empty()) break;
      progress(-static_cast<int64_t>(fs::file_size(partial)));
      fs::remove(partial, ignored);
      if (!resumed) {
        BadInput("io",
                 "{}: '{}' came with the digest {}, the hub announced {}; nothing of it was "
                 "kept",
                 repo_.Describe(), file.name, wrong, file.etag);
      }
    }
    std::error_code error;
    fs::rename(partial, blob, error);
    if (error) BadInput("io", "{}: cannot be written: {}", blob.string(), error.message());
  }

  // snapshots/COMMIT/a/b -> ../../../blobs/ETAG
  void Link(const fs::path& pointer, const std::string& etag) {
    const std::lock_guard lock(mutex_);
    CreateFolders(pointer.parent_path());
    const fs::path target = (folder_ / "blobs" / etag).lexically_relative(pointer.parent_path());
    std::error_code error;
    if (fs::exists(pointer, error)) return;  // another process was faster
    fs::remove(pointer, error);              // a link to nothing
    fs::create_symlink(target, pointer, error);
    if (error && !fs::exists(pointer)) {
      BadInput("io", "{}: cannot be written: {}", pointer.string(), error.message());
    }
  }

  void WriteRef(const std::string& commit) const {
    if (repo_.revision == commit) return;
    const fs::path ref = folder_ / "refs" / repo_.revision;
    CreateFolders(ref.parent_path());
    WriteFile(ref, commit);
  }

  HubRepo repo_;
  HubSettings settings_;
  fs::path folder_;
  std::mutex mutex_;
};

}  // namespace

HubFetchReport FetchFromHub(const HubRepo& repo, const HubFetchOptions& options) {
  if (options.parallel < 1 || options.parallel > 64) {
    BadUsage("io", "--parallel is {}; it must be 1 to 64", options.parallel);
  }
  const HubSettings settings = ReadHubSettings();
  if (settings.offline) {
    BadUsage("io", "{}: HF_HUB_OFFLINE is set, so nothing is downloaded; unset it to fetch",
             repo.Describe());
  }
  HubFetchReport report;
  Fetch(repo, settings).Run(options, report);
  return report;
}

}  // namespace grin
