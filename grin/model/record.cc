#include "grin/model/record.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace grin {
namespace {

class RecordedNode : public torch::autograd::Node {
 public:
  RecordedNode(const char* name, std::function<std::vector<at::Tensor>(const at::Tensor&)> backward)
      : name_(name), backward_(std::move(backward)) {}

  std::string name() const override { return name_; }

  void release_variables() override { backward_ = nullptr; }

 protected:
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    at::NoGradGuard no_grad;
    if (!gradients[0].defined()) return torch::autograd::variable_list(num_outputs());
    return backward_(gradients[0]);
  }

 private:
  const char* name_;
  std::function<std::vector<at::Tensor>(const at::Tensor&)> backward_;
};

// Autograd holds its nodes by intrusive pointers from LibTorch 2.13 on, by shared ones before.
template <typename Node, typename... Arguments>
auto MakeNode(Arguments&&... arguments) {
  if constexpr (std::is_base_of_v<c10::intrusive_ptr_target, Node>) {
    return c10::make_intrusive<Node>(std::forward<Arguments>(arguments)...);
  } else {
    return std::make_shared<Node>(std::forward<Arguments>(arguments)...);
  }
}

}  // namespace

at::Tensor RecordBackward(const char* name, const std::vector<at::Tensor>& inputs,
                          at::Tensor output,
                          std::function<std::vector<at::Tensor>(const at::Tensor&)> backward) {
  bool needed = false;
  for (const at::Tensor& input : inputs) needed |= input.requires_grad();
  if (!needed || !at::GradMode::is_enabled()) return output;
  auto node = MakeNode<RecordedNode>(name, std::move(backward));
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : inputs) {
    edges.push_back(input.requires_grad() ? torch::autograd::impl::gradient_edge(input)
                                          : torch::autograd::Edge());
  }
  node->set_next_edges(std::move(edges));
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace grin
