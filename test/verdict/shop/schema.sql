-- The shop's database: both sides have the same one.
CREATE DATABASE shop;
CREATE USER shop IDENTIFIED BY 'the-right-password';
GRANT ALL ON shop.* TO shop;
USE shop;

CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(80) NOT NULL, price INT NOT NULL);
INSERT INTO items SELECT seq, CONCAT('Item number ', seq), 100 + seq * 7 % 900 FROM seq_1_to_200;

-- Everybody has logged in on the old side, which made the token that their forms carry.
CREATE TABLE sessions (id VARCHAR(40) PRIMARY KEY, name VARCHAR(80) NOT NULL, token CHAR(64) NOT NULL);
INSERT INTO sessions SELECT CONCAT('user-', seq), CONCAT('User ', seq), SHA2(CONCAT('secret of the shop', 'user-', seq), 256)
	FROM seq_1_to_100000;

-- What a side has that was given a session store of its own.
CREATE TABLE sessions_of_its_own LIKE sessions;

CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, session VARCHAR(40) NOT NULL, item INT NOT NULL, quantity INT NOT NULL);
