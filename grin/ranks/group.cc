#include "grin/ranks/group.h"

#include <c10/util/Exception.h>
#include <fmt/ranges.h>

#include <chrono>
#include <thread>
#include <vector>

namespace grin {
namespace {

using namespace std::chrono_literals;

constexpr auto kJoinTime = 120s;

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

int64_t PrefixedStore::Add(const std::string& key, int64_t more) { return store_->add(key, more); }

std::optional<std::string> PrefixedStore::Find(const std::string& key) {
  if (!store_->check({key})) return std::nullopt;
  return store_->get_to_str(key);
}

std::string PrefixedStore::SetFirst(const std::string& key, const std::string& value) {
  return store_->compareSet(key, std::string(), value);
}

c10::intrusive_ptr<c10d::Store> ConnectStore(const RankPlace& place, bool opens) {
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = opens;
  options.waitWorkers = false;
  options.timeout = kJoinTime;
  try {
    auto store = c10::make_intrusive<c10d::TCPStore>(place.address, options);
    return c10::make_intrusive<c10d::PrefixStore>("grin" + place.attempt, std::move(store));
  } catch (const c10::Error& error) {
    const std::string why = FirstLine(error.what_without_backtrace());
    if (opens) {
      BadUsage("ranks", "rank 0 cannot open its store at {}:{}: {}; MASTER_PORT names another port",
               place.address, place.port, why);
    }
    throw Error(ErrorClass::kInterrupted, "ranks",
                fmt::format("rank {} cannot reach the store of rank 0 at {}:{}: {}", place.rank,
                            place.address, place.port, why));
  }
}

void WaitForAll(RankStore& store, const RankPlace& place, const std::function<bool()>& given_up) {
  const auto start = std::chrono::steady_clock::now();
  while (store.Add("joined", 0) < place.world) {
    if (given_up()) return;
    if (std::chrono::steady_clock::now() - start > kJoinTime) {
      std::vector<int64_t> missing;
      for (int64_t rank = 0; rank < place.world; ++rank) {
        if (store.Add(fmt::format("beat/{}", rank), 0) == 0) missing.push_back(rank);
      }
      throw Error(
          ErrorClass::kInterrupted, "ranks",
          fmt::format("{} of {} processes did not come within {} s: rank {}", missing.size(),
                      place.world, kJoinTime.count(), fmt::join(missing, ", ")));
    }
    std::this_thread::sleep_for(20ms);
  }
}

}  // namespace grin
