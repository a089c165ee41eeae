//! From a whole request to its answer: guards first, then a page or the API.
