//! What is sold in app stores.

use std::collections::HashMap;

use serde::Deserialize;

/// Something sold for money.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// As in the app stores.
    pub product_id: String,
    /// What it is worth.
    pub coins: i64,
}

/// What is sold for money, and what it is worth.
#[derive(Debug, Clone, Default)]
pub struct Products(HashMap<String, i64>);

impl Products {
    /// These products. Answers what is wrong with them, if something is.
    ///
    /// # Errors
    /// When an id is empty, too long or there twice, or coins are not from 1 to `most`.
    pub fn new(products: Vec<Product>, most: i64) -> Result<Self, String> {
        let mut coins = HashMap::new();
        for product in products {
            let id = product.product_id;
            if !(1..=255).contains(&id.len()) {
                return Err(format!("product_id {id:?} is not 1 to 255 bytes"));
            }
            if !(1..=most).contains(&product.coins) {
                return Err(format!("the coins of product {id:?} are not 1 to {most}"));
            }
            if coins.insert(id.clone(), product.coins).is_some() {
                return Err(format!("product_id {id:?} is there twice"));
            }
        }
        Ok(Self(coins))
    }

    pub(super) fn worth(&self, product_id: &str, quantity: i64) -> Option<i64> {
        self.0.get(product_id)?.checked_mul(quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_products_are_refused() {
        let product = |id: &str, coins| Product { product_id: id.to_owned(), coins };
        assert!(Products::new(vec![product("a", 1), product("b", 100)], 100).is_ok());
        assert!(Products::new(vec![product("a", 1), product("a", 2)], 100).is_err());
        assert!(Products::new(vec![product("a", 0)], 100).is_err());
        assert!(Products::new(vec![product("a", 101)], 100).is_err());
        assert!(Products::new(vec![product("", 1)], 100).is_err());
    }
}
