#pragma once
// A parsed template: a tree of statements that hold trees of expressions.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grin/jinja/value.h"

namespace grin::jinja {

struct Expression {
  enum class Kind {
    kConstant,     // constant
    kName,         // text
    kList,         // parts
    kTuple,        // parts
    kDict,         // parts: key, value, key, value, ...
    kAttribute,    // parts[0] . text
    kItem,         // parts[0] [ parts[1] ]
    kSlice,        // parts[0] [ parts[1] : parts[2] : parts[3] ], the last three may be null
    kCall,         // parts[0] ( parts[1], ..., named )
    kFilter,       // parts[0] | text ( parts[1], ..., named ); a null parts[0] is a block's text
    kTest,         // parts[0] is text ( parts[1], ..., named )
    kNot,          // parts[0]
    kNegative,     // parts[0]
    kPositive,     // parts[0]
    kAnd,          // parts[0], parts[1]
    kOr,           // parts[0], parts[1]
    kConditional,  // parts[0] if parts[1] else parts[2], which may be null
    kConcat,       // parts joined by ~
    kArithmetic,   // parts[0] text parts[1]
    kCompare       // parts[0] operators[0] parts[1] operators[1] parts[2] ...
  };

  Kind kind;
  int line;
  int depth = 1;  // of expressions within each other
  std::string text = {};
  Value constant = {};
  std::vector<std::unique_ptr<Expression>> parts = {};
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named = {};
  std::vector<std::string> operators = {};
};

using ExpressionPtr = std::unique_ptr<Expression>;

struct Statement {
  enum class Kind {
    kBody,         // bodies[0]
    kText,         // text
    kPrint,        // parts[0]
    kIf,           // parts[i] decides on bodies[i]; one more body is the else
    kFor,          // target parts[0] in parts[1], if parts[2] or null; bodies: loop, else
    kSet,          // target parts[0] = parts[1]
    kSetBlock,     // target parts[0] = bodies[0] through the filters parts[1] or null
    kMacro,        // text ( parameters = parts, null without default ): bodies[0]
    kCall,         // parts[0], a call, with the macro `caller`
    kFilterBlock,  // bodies[0] through the filters parts[0]
    kWith,         // names parts[0], parts[2], ... = parts[1], parts[3], ...: bodies[0]
    kScope,        // bodies[0] with variables of its own
    kBreak,
    kContinue
  };
  using Body = std::vector<std::unique_ptr<Statement>>;

  Kind kind;
  int line;
  std::string text = {};
  std::vector<ExpressionPtr> parts = {};
  std::vector<Body> bodies = {};
  std::vector<std::string> parameters = {};
  std::unique_ptr<Statement> caller = {};
};

// The template as one kBody. Throws BadInput with `name` and the line where it is none.
std::unique_ptr<Statement> Parse(std::string_view source, std::string_view name);

}  // namespace grin::jinja
