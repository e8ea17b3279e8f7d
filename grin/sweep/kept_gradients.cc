#include "grin/sweep/kept_gradients.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "grin/base/atomic_file.h"
#include "grin/base/error.h"
#include "grin/base/hash.h"
#include "grin/base/log.h"
#include "grin/base/reservation.h"
#include "grin/io/mapped_file.h"
#include "grin/model/device.h"
#include "grin/run/output.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

// Where each gradient stands in the file, in numbers; the last is the end.
std::vector<int64_t> PlacesOf(const Model& model, const std::vector<std::string>& names) {
  std::vector<int64_t> places = {0};
  for (const std::string& name : names) {
    places.push_back(places.back() + model.weights->tensors().at(name).numel());
  }
  return places;
}

void Read(const fs::path& path, const Model& model, const std::vector<std::string>& names,
          const TakeGradient& take) {
  const MappedFile file(path);
  const std::vector<int64_t> places = PlacesOf(model, names);
  if (file.bytes().size() != static_cast<size_t>(places.back()) * sizeof(float)) {
    BadInput("sweep", "{}: has {} bytes, {} numbers are expected; delete it, and it is made anew",
             path.string(), file.bytes().size(), places.back());
  }
  const auto* numbers = reinterpret_cast<const float*>(file.bytes().data());
  const at::Device device = model.weights->device();
  for (size_t i = 0; i < names.size(); ++i) {
    const at::Tensor kept =
        at::from_blob(const_cast<float*>(numbers + places[i]),
                      model.weights->tensors().at(names[i]).sizes(), at::kFloat);
    take(i, device.is_cpu() ? kept.clone() : Upload(kept, device));
  }
}

// A file that is filled in any order.
class GradientFile {
 public:
  explicit GradientFile(const fs::path& path)
      : place_(path, /*directory=*/false),
        file_(open(place_.partial().c_str(), O_WRONLY | O_CLOEXEC)) {
    if (file_ < 0) Refuse();
  }
  ~GradientFile() { close(file_); }
  GradientFile(const GradientFile&) = delete;
  GradientFile& operator=(const GradientFile&) = delete;

  void Write(int64_t place, const at::Tensor& values) {
    const auto* bytes = reinterpret_cast<const char*>(values.const_data_ptr<float>());
    size_t left = values.nbytes();
    off_t at = place * static_cast<off_t>(sizeof(float));
    while (left > 0) {
      const ssize_t written = pwrite(file_, bytes, left, at);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) Refuse();
      bytes += written;
      at += written;
      left -= static_cast<size_t>(written);
    }
  }

  void Commit() {
    if (fsync(file_) != 0) Refuse();
    place_.PutInPlace();
  }

 private:
  [[noreturn]] void Refuse() const {
    BadInput("sweep", "{}: cannot be written: {}", place_.partial().string(), std::strerror(errno));
  }

  Reservation place_;
  int file_;
};

}  // namespace

void KeptGradients::Visit(const std::string& key, const Model& model,
                          const std::vector<std::string>& names,
                          const std::function<void(const TakeGradient& take)>& compute,
                          const TakeGradient& take) {
  const std::string name = "gradients-" + Fingerprint(model_ + " " + key);
  const fs::path path = ledger_.shared() / (name + ".f32");
  std::error_code error;
  if (fs::exists(path, error)) return Read(path, model, names, take);
  const Claim claim = Claim::Wait(ledger_.LockOf(name), "the gradients of locating");
  if (fs::exists(path, error)) return Read(path, model, names, take);
  const std::vector<int64_t> places = PlacesOf(model, names);
  // Room for as much again is left: checkpoints are written meanwhile.
  if (FreeSpace(path) < 2.0 * static_cast<double>(places.back()) * sizeof(float)) {
    Warn("{}: the disk has no room for gradients of {} weights; each run takes its own",
         ledger_.shared().string(), places.back());
    return compute(take);
  }
  GradientFile file(path);
  compute([&](size_t i, at::Tensor values) {
    file.Write(places[i], Download(values).contiguous());
    take(i, std::move(values));
  });
  file.Commit();
}

}  // namespace grin
