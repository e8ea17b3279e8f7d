#include "grin/ranks/ranks.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <thread>

namespace grin {
namespace {

uint16_t UnusedPort() {
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

// Does `work` as so many ranks, each a thread here.
void AsRanks(int64_t world, const SumRule& rule, const std::function<void(const Ranks&)>& work) {
  const uint16_t port = UnusedPort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        Ranks ranks({.rank = rank,
                     .world = world,
                     .address = "127.0.0.1",
                     .port = port,
                     .opens_store = rank == 0},
                    rule);
        ranks.Join();
        work(ranks);
        ranks.End();
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank << ": " << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Numbers of very different magnitudes, whose sum shows in which order they were added.
at::Tensor ValuesOf(int64_t rank, int64_t count) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(rank + 1));
  return at::randn({count}, generator) * at::randn({count}, generator).mul(8).exp();
}

at::Tensor TreeOf(int64_t begin, int64_t end, int64_t count) {
  if (end - begin == 1) return ValuesOf(begin, count);
  int64_t left = 1;
  while (2 * left < end - begin) left *= 2;
  return TreeOf(begin, begin + left, count) + TreeOf(begin + left, end, count);
}

TEST(Ranks, OneProcessSendsNothing) {
  const Ranks alone;
  EXPECT_TRUE(alone.alone());
  EXPECT_EQ(alone.parts(), 1);
  at::Tensor values = at::arange(5, at::kFloat);
  alone.Sum(values);
  EXPECT_TRUE(values.equal(at::arange(5, at::kFloat)));
  EXPECT_EQ(alone.Gather("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(alone.Broadcast("b"), "b");
  EXPECT_TRUE(alone.Any(true));
  EXPECT_EQ(alone.bytes_sent(), 0);
  const Ranks fixed({.deterministic = true});
  EXPECT_EQ(fixed.parts(), SumRule::kParts);
  EXPECT_EQ(fixed.own_parts().count(), SumRule::kParts);
}

TEST(Ranks, SumsAreThoseOfATreeOnAllOfThem) {
  for (const int64_t world : {2, 3, 4}) {
    AsRanks(world, {}, [&](const Ranks& ranks) {
      EXPECT_EQ(ranks.local_world(), world);
      EXPECT_EQ(ranks.local_rank(), ranks.rank());
      EXPECT_EQ(ranks.own_parts().count(), 1);
      for (const int64_t count : {0, 1, 5, 1000, 1001}) {  // not all of them multiples of the ranks
        at::Tensor values = ValuesOf(ranks.rank(), count);
        const int64_t before = ranks.bytes_sent();
        ranks.Sum(values);
        EXPECT_TRUE(values.equal(TreeOf(0, world, count))) << world << " ranks, " << count;
        const int64_t piece = (count + world - 1) / world;
        EXPECT_EQ(ranks.bytes_sent() - before, 2 * (world - 1) * piece * 4);
      }
    });
  }
}

TEST(Ranks, ALargeSumTravelsInPieces) {
  constexpr int64_t kCount = (int64_t{1} << 22) + 17;
  AsRanks(2, {}, [&](const Ranks& ranks) {
    at::Tensor values = at::arange(kCount, at::kFloat) * (ranks.rank() + 1);
    ranks.Sum(values);
    EXPECT_TRUE(values.equal(at::arange(kCount, at::kFloat) + at::arange(kCount, at::kFloat) * 2));
  });
}

TEST(Ranks, NarrowSumsAreRoundedTwiceAndAlike) {
  AsRanks(3, {.narrow = true}, [&](const Ranks& ranks) {
    at::Tensor values = ValuesOf(ranks.rank(), 301);
    at::Tensor sum = at::zeros({301}), magnitude = at::zeros({301});
    for (int64_t rank = 0; rank < 3; ++rank) {
      const at::Tensor sent = ValuesOf(rank, 301).to(at::kBFloat16).to(at::kFloat);
      sum += sent;
      magnitude += sent.abs();
    }
    const int64_t before = ranks.bytes_sent();
    ranks.Sum(values);
    EXPECT_EQ(ranks.bytes_sent() - before, 2 * 2 * 101 * 2);
    // 2^-8 relative for the rounded sum, and fp32's own roundings.
    EXPECT_TRUE((values - sum).abs().le(sum.abs() / 256 + magnitude * 1e-6).all().item<bool>());
    const auto all = ranks.Gather({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
    EXPECT_EQ(all[0], all[1]);
    EXPECT_EQ(all[0], all[2]);
  });
}

TEST(Ranks, WhatOneHasAllGet) {
  AsRanks(3, {}, [&](const Ranks& ranks) {
    const std::string own(static_cast<size_t>(ranks.rank() * 5), static_cast<char>('a' + ranks.rank()));
    EXPECT_EQ(ranks.Gather(own), (std::vector<std::string>{"", "bbbbb", "cccccccccc"}));
    EXPECT_EQ(ranks.Broadcast(ranks.first() ? "told" : "other"), "told");
    EXPECT_EQ(ranks.Broadcast(ranks.first() ? "" : "other"), "");
    at::Tensor values = at::full({2, 3}, ranks.rank() + 4, at::kLong);
    ranks.Broadcast(values);
    EXPECT_TRUE(values.eq(4).all().item<bool>());
    EXPECT_TRUE(ranks.GatherRows(at::tensor({ranks.rank(), int64_t{7}})).equal(
        at::tensor({0, 7, 1, 7, 2, 7}, at::kLong).view({3, 2})));
    EXPECT_TRUE(ranks.Any(ranks.rank() == 2));
    EXPECT_FALSE(ranks.Any(false));
  });
}

// What ends one ends all, with its words, which one of them says.
TEST(Ranks, AFailureIsToldByOne) {
  std::vector<std::optional<std::string>> said(3);
  std::vector<int> codes(3);
  std::mutex mutex;
  const uint16_t port = UnusedPort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      Ranks ranks({.rank = rank,
                   .world = 3,
                   .address = "127.0.0.1",
                   .port = port,
                   .opens_store = rank == 0},
                  {});
      try {
        ranks.Join();
        if (rank == 1) BadInput("data", "line 7 is torn");
        ranks.Barrier();
        ADD_FAILURE() << "rank " << rank << " goes on";
      } catch (const Error& error) {
        const auto word = ranks.Fail(error.error_class(), error.what());
        const std::lock_guard lock(mutex);
        said[rank] = word.message;
        codes[rank] = word.code;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(codes, (std::vector<int>{3, 3, 3}));
  EXPECT_EQ(said[1], "[data] line 7 is torn (rank 1 of 3)");
  EXPECT_FALSE(said[0]);
  EXPECT_FALSE(said[2]);
}

}  // namespace
}  // namespace grin
