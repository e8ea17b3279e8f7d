#include "grin/data/template_variables.h"

#include <gmock/gmock.h>

#include "grin/base/error.h"
#include "tests/model/tiny.h"

namespace grin {
namespace {

using ::testing::HasSubstr;

TEST(TemplateVariables, BothForms) {
  EXPECT_EQ(ParseTemplateVariables(""), Json::object());
  EXPECT_EQ(ParseTemplateVariables("date_string=10 Apr 2025,enable_thinking=false"),
            Json({{"date_string", "10 Apr 2025"}, {"enable_thinking", false}}));
  EXPECT_EQ(ParseTemplateVariables("a=,b=3,c=\"3\", d = x=y"),
            Json({{"a", ""}, {"b", 3}, {"c", "3"}, {"d", " x=y"}}));
  EXPECT_EQ(ParseTemplateVariables(R"( {"date_string": "April 10, 2025", "tools": []})"),
            Json({{"date_string", "April 10, 2025"}, {"tools", Json::array()}}));
}

TEST(TemplateVariables, Refusals) {
  const auto message = [](const char* text) {
    return MessageOf([&] { ParseTemplateVariables(text); });
  };
  EXPECT_THAT(message("date=April 10, 2025"), HasSubstr("' 2025' is not of the form NAME=VALUE"));
  EXPECT_THAT(message("date"), HasSubstr("'date' is not of the form NAME=VALUE"));
  EXPECT_THAT(message("=x"), HasSubstr("not of the form NAME=VALUE"));
  EXPECT_THAT(message("{\"date\": "), HasSubstr("is not a JSON object"));
  EXPECT_THAT(message("messages=[]"), HasSubstr("cannot set 'messages'"));
  EXPECT_THAT(message("{\"add_generation_prompt\": true}"), HasSubstr("add_generation_prompt"));
}

}  // namespace
}  // namespace grin
